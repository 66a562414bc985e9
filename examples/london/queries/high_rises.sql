-- Households in high-rise buildings farther than two kilometres from every fire station, by borough
-- 20 to 33 rows: borough varchar, buildings bigint, households bigint
SELECT b.name AS borough, COUNT(*) AS buildings, SUM(r.households) AS households
FROM every.high_rises AS r
JOIN london.gla.boroughs AS b ON b.gss = r.borough_gss
WHERE NOT EXISTS (
  SELECT 1
  FROM london.lfb.stations AS s
  WHERE sqrt(power(s.easting - r.easting, 2) + power(s.northing - r.northing, 2)) <= 2000
)
GROUP BY b.name
ORDER BY households DESC, borough
