SELECT
  "Code" AS borough_gss,
  CAST("Year" AS INT) AS year,
  CAST("Population" AS INT) AS population,
  CAST("Inland_Area _Hectares" AS DOUBLE) AS hectares
FROM source
WHERE "Code" LIKE 'E09%'
