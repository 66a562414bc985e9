SELECT
  uprn,
  '@gss@' AS borough_gss,
  CASE accom_code
    WHEN 1 THEN 'detached'
    WHEN 2 THEN 'semi-detached'
    WHEN 3 THEN 'terraced'
    WHEN 4 THEN 'flat'
    WHEN 5 THEN 'mobile'
  END AS accommodation_type,
  CASE hmo_code
    WHEN 0 THEN 'none'
    WHEN 1 THEN 'small'
    WHEN 2 THEN 'large'
  END AS hmo,
  CAST(1 AS INT) AS households
FROM source
