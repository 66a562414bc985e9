-- Households by borough and accommodation type, from every borough's own records
-- 130 to 165 rows: borough varchar, accommodation_type varchar, households bigint
SELECT b.name AS borough, d.accommodation_type, d.households
FROM london.gla.boroughs AS b
JOIN (
  SELECT borough_gss, accommodation_type, SUM(households) AS households
  FROM every.dwellings
  GROUP BY borough_gss, accommodation_type
) AS d ON d.borough_gss = b.gss
ORDER BY borough, d.households DESC
