SELECT
  "UPRN" AS uprn,
  '@gss@' AS borough_gss,
  CASE "BLPU_CLASS"
    WHEN 'RD02' THEN 'detached'
    WHEN 'RD03' THEN 'semi-detached'
    WHEN 'RD04' THEN 'terraced'
    WHEN 'RD06' THEN 'flat'
    WHEN 'RD01' THEN 'mobile'
  END AS accommodation_type,
  CASE
    WHEN "HMO_YN" = 'N' THEN 'none'
    WHEN "HMO_YN" = 'Y' AND "HMO_SIZE" = 'S' THEN 'small'
    WHEN "HMO_YN" = 'Y' AND "HMO_SIZE" = 'L' THEN 'large'
  END AS hmo,
  CAST(1 AS INT) AS households
FROM source
