SELECT
  "LAD22CD" AS borough_gss,
  CAST("NO2-2019-mean" AS DOUBLE) AS no2
FROM source
