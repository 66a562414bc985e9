-- The five years with the most dwelling fires
-- 5 rows: year integer, fires bigint
SELECT year, COUNT(*) AS fires
FROM london.lfb.incidents
GROUP BY year
ORDER BY fires DESC, year
LIMIT 5
