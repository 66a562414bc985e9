-- Dwelling fires by property type and year
SELECT property_type, year, COUNT(*) AS fires
FROM london.lfb.incidents
GROUP BY property_type, year
ORDER BY property_type, year
