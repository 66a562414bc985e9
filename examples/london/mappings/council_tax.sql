SELECT
  CAST("PROPERTY REFERENCE" AS BIGINT) AS uprn,
  '@gss@' AS borough_gss,
  CASE "DWELLING TYPE"
    WHEN 'HOUSE DETACHED' THEN 'detached'
    WHEN 'HOUSE SEMI' THEN 'semi-detached'
    WHEN 'HOUSE TERRACE' THEN 'terraced'
    WHEN 'FLAT OR MAISONETTE' THEN 'flat'
    WHEN 'CARAVAN OR BOAT' THEN 'mobile'
  END AS accommodation_type,
  CASE "HMO LICENCE CLASS"
    WHEN 'NOT REQUIRED' THEN 'none'
    WHEN 'ADDITIONAL' THEN 'small'
    WHEN 'MANDATORY' THEN 'large'
  END AS hmo,
  "NO OF HOUSEHOLDS" AS households
FROM source
