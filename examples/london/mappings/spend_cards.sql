SELECT
  NULLIF("Creditor", 'REDACTED PERSONAL DATA') AS supplier,
  "Account Description" AS subject,
  CAST(concat(substr("Journal Date", 7, 4), '-', substr("Journal Date", 4, 2), '-', substr("Journal Date", 1, 2)) AS DATE) AS paid,
  CAST("Total" AS DECIMAL(14, 2)) AS amount
FROM source
WHERE "Total" <> ''
