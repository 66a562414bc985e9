-- The five years with the most dwelling fires
SELECT year, COUNT(*) AS fires
FROM london.lfb.incidents
GROUP BY year
ORDER BY fires DESC, year
LIMIT 5
