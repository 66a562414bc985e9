SELECT
  "New_ONS" AS borough_gss,
  CAST("Year" AS INT) AS year,
  CAST("Total" AS INT) AS vacant
FROM source
