SELECT
  NULLIF("Supplier Name", 'REDACTED PERSONAL DATA') AS supplier,
  CAST(NULL AS VARCHAR) AS subject,
  CAST(NULL AS DATE) AS paid,
  CAST(replace("Sum of Invoice Nett Amount", ',', '') AS DECIMAL(14, 2)) AS amount
FROM source
