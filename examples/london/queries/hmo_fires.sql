-- Fires in houses in multiple occupation by borough and licence, 2019 to 2023
-- 20 to 45 rows: borough varchar, hmo_licence varchar, fires bigint
SELECT b.name AS borough, f.hmo_licence, f.fires
FROM london.gla.boroughs AS b
JOIN (
  SELECT borough_gss, hmo_licence, COUNT(*) AS fires
  FROM london.lfb.incidents
  WHERE hmo = true AND year BETWEEN 2019 AND 2023
  GROUP BY borough_gss, hmo_licence
) AS f ON f.borough_gss = b.gss
ORDER BY f.fires DESC, borough, f.hmo_licence
