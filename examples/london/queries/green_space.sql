-- Green space per head by borough, least first
-- 33 rows: borough varchar, population integer, hectares double, square_metres_per_head double
SELECT
  b.name AS borough,
  p.population,
  g.hectares,
  round(10000 * g.hectares / p.population, 1) AS square_metres_per_head
FROM london.gla.boroughs AS b
JOIN london.gla.green_space AS g ON g.borough_gss = b.gss
JOIN london.gla.population AS p ON p.borough_gss = b.gss
WHERE p.year = 2021
ORDER BY square_metres_per_head, borough
