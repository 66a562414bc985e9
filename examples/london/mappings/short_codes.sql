SELECT
  uprn,
  '@gss@' AS borough_gss,
  CASE type
    WHEN 'D' THEN 'detached'
    WHEN 'S' THEN 'semi-detached'
    WHEN 'H' THEN 'terraced'
    WHEN 'F' THEN 'flat'
    WHEN 'M' THEN 'mobile'
  END AS accommodation_type,
  CASE hmo
    WHEN 'N' THEN 'none'
    WHEN '3-4' THEN 'small'
    WHEN '5+' THEN 'large'
  END AS hmo,
  hholds AS households
FROM source
