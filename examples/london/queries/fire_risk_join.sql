-- Dwelling fires of 2023 per 1,000 households by borough, as one join with GROUP BY
-- 32 rows: borough varchar, fires bigint, households bigint, fires_per_1000 double
SELECT
  b.name AS borough,
  COUNT(*) AS fires,
  h.households,
  round(1000.0 * COUNT(*) / h.households, 3) AS fires_per_1000
FROM london.lfb.incidents AS i
JOIN london.gla.boroughs AS b ON b.gss = i.borough_gss
JOIN (
  SELECT borough_gss, SUM(households) AS households
  FROM every.dwellings
  GROUP BY borough_gss
) AS h ON h.borough_gss = i.borough_gss
WHERE i.year = 2023
GROUP BY b.name, h.households
ORDER BY fires_per_1000 DESC, borough
