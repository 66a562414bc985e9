-- Long-term vacant homes against households in temporary accommodation, by borough
-- 32 rows: borough varchar, vacant integer, in_temporary_accommodation bigint, households_per_vacant_home double
SELECT
  b.name AS borough,
  v.vacant,
  COUNT(*) AS in_temporary_accommodation,
  round(1.0 * COUNT(*) / v.vacant, 2) AS households_per_vacant_home
FROM every.homelessness AS t
JOIN london.gla.boroughs AS b ON b.gss = t.borough_gss
JOIN london.gla.vacant_homes AS v ON v.borough_gss = t.borough_gss
WHERE v.year = (SELECT MAX(year) FROM london.gla.vacant_homes)
GROUP BY b.name, v.vacant
ORDER BY households_per_vacant_home DESC, borough
