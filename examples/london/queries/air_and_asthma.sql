-- Nitrogen dioxide against admissions of children for asthma, by borough
-- 33 rows: borough varchar, no2 double, admissions integer, admissions_per_100000 double
SELECT
  b.name AS borough,
  a.no2,
  s.admissions,
  round(100000.0 * s.admissions / p.population, 1) AS admissions_per_100000
FROM london.gla.boroughs AS b
JOIN london.gla.air_quality AS a ON a.borough_gss = b.gss
JOIN london.gla.asthma_admissions AS s ON s.borough_gss = b.gss
JOIN london.gla.population AS p ON p.borough_gss = b.gss AND p.year = 2021
ORDER BY a.no2 DESC
