-- Dwelling fires by property type and year
-- 180 to 320 rows: property_type varchar, year integer, fires bigint
SELECT property_type, year, COUNT(*) AS fires
FROM london.lfb.incidents
GROUP BY property_type, year
ORDER BY property_type, year
