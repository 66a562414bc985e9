-- Dwelling fires per 1,000 households by tenth of deprivation, 2019 to 2023
-- 10 rows: deprivation_decile integer, fires bigint, households bigint, fires_per_1000 double
SET purpose = 'ward-risk';
SELECT
  f.deprivation_decile,
  f.fires,
  h.households,
  round(1000.0 * f.fires / h.households, 3) AS fires_per_1000
FROM (
  SELECT w.deprivation_decile, COUNT(*) AS fires
  FROM london.lfb.incidents AS i
  JOIN london.gla.wards AS w ON w.gss = i.ward_gss
  WHERE i.year BETWEEN 2019 AND 2023
  GROUP BY w.deprivation_decile
) AS f
JOIN (
  SELECT deprivation_decile, SUM(households) AS households
  FROM london.gla.wards
  GROUP BY deprivation_decile
) AS h ON h.deprivation_decile = f.deprivation_decile
ORDER BY f.deprivation_decile
