SELECT
  CAST("UPRN" AS BIGINT) AS uprn,
  '@gss@' AS borough_gss,
  CASE "Property Type"
    WHEN 'Detached house' THEN 'detached'
    WHEN 'Semi-detached house' THEN 'semi-detached'
    WHEN 'Terraced house' THEN 'terraced'
    WHEN 'Flat or maisonette' THEN 'flat'
    WHEN 'Caravan or houseboat' THEN 'mobile'
  END AS accommodation_type,
  CASE
    WHEN "HMO?" = 'No' THEN 'none'
    WHEN "HMO?" = 'Yes' AND "Residents" = '3 to 4' THEN 'small'
    WHEN "HMO?" = 'Yes' AND "Residents" = '5 or more' THEN 'large'
  END AS hmo,
  CAST("Households" AS INT) AS households
FROM source
