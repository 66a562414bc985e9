-- Fires in houses in multiple occupation against licensed ones, by ward
-- 20 to 120 rows: borough varchar, ward varchar, fires bigint, licences bigint
SET purpose = 'ward-risk';
SELECT b.name AS borough, w.name AS ward, COUNT(*) AS fires, l.licences
FROM london.lfb.incidents AS i
JOIN london.gla.wards AS w ON w.gss = i.ward_gss
JOIN london.gla.boroughs AS b ON b.gss = w.borough_gss
JOIN (
  SELECT ward_gss, COUNT(*) AS licences
  FROM every.hmo_licences
  GROUP BY ward_gss
) AS l ON l.ward_gss = w.gss
WHERE i.hmo = true
GROUP BY b.name, w.name, l.licences
ORDER BY fires DESC, ward
