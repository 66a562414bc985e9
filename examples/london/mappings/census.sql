SELECT
  CAST(NULL AS BIGINT) AS uprn,
  '@gss@' AS borough_gss,
  CASE "Accommodation type (5 categories)"
    WHEN 'Whole house or bungalow: Detached' THEN 'detached'
    WHEN 'Whole house or bungalow: Semi-detached' THEN 'semi-detached'
    WHEN 'Whole house or bungalow: Terraced' THEN 'terraced'
    WHEN 'Flat, maisonette or apartment' THEN 'flat'
    WHEN 'A caravan or other mobile or temporary structure' THEN 'mobile'
  END AS accommodation_type,
  CASE "Households of multiple occupancy (HMO) (3 categories)"
    WHEN 'Does not apply' THEN 'none'
    WHEN 'Is a small HMO' THEN 'small'
    WHEN 'Is a large HMO' THEN 'large'
  END AS hmo,
  CAST(CAST("Observation" AS DOUBLE) AS INT) AS households
FROM source
WHERE "Lower tier local authorities Code" = '@gss@'
