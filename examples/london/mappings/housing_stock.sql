SELECT
  CAST("UniquePropertyRef" AS BIGINT) AS uprn,
  '@gss@' AS borough_gss,
  CASE "PropertyType"
    WHEN 'Detached' THEN 'detached'
    WHEN 'Semi-Detached' THEN 'semi-detached'
    WHEN 'Terraced' THEN 'terraced'
    WHEN 'Flat/Maisonette' THEN 'flat'
    WHEN 'Mobile/Temporary' THEN 'mobile'
  END AS accommodation_type,
  CASE
    WHEN "IsHMO" = 0 THEN 'none'
    WHEN "IsHMO" = 1 AND "LargeHMO" = 0 THEN 'small'
    WHEN "IsHMO" = 1 AND "LargeHMO" = 1 THEN 'large'
  END AS hmo,
  "Households" AS households
FROM source
