SELECT
  NULLIF("Vendor Name", 'REDACTED PERSONAL DATA') AS supplier,
  "Expenditure Account Code Description" AS subject,
  CAST("Clearing Date" AS DATE) AS paid,
  CAST(replace(replace(replace("Amount", ',', ''), '(', '-'), ')', '') AS DECIMAL(14, 2)) AS amount
FROM source
