-- Dwelling fires per 1,000 households by borough, 2019 to 2023, most risk first
-- 33 rows: borough_gss varchar, borough varchar, fires bigint, households bigint, fires_per_1000 double
SELECT
  b.gss AS borough_gss,
  b.name AS borough,
  f.fires,
  h.households,
  round(1000.0 * f.fires / h.households, 3) AS fires_per_1000
FROM london.gla.boroughs AS b
JOIN (
  SELECT borough_gss, COUNT(*) AS fires
  FROM london.lfb.incidents
  WHERE year BETWEEN 2019 AND 2023
  GROUP BY borough_gss
) AS f ON f.borough_gss = b.gss
JOIN (
  SELECT borough_gss, SUM(households) AS households
  FROM every.dwellings
  GROUP BY borough_gss
) AS h ON h.borough_gss = b.gss
ORDER BY fires_per_1000 DESC, borough_gss
