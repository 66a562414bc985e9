-- Share of fires and share of households in houses in multiple occupation, by borough
-- 25 to 33 rows: borough varchar, hmo_fires_percent double, hmo_households_percent double
-- A borough with too few fires in HMOs to be released is absent: its share is unknown, not nought.
SELECT
  b.name AS borough,
  round(100.0 * hf.fires / f.fires, 2) AS hmo_fires_percent,
  round(100.0 * hh.households / h.households, 2) AS hmo_households_percent
FROM london.gla.boroughs AS b
JOIN (
  SELECT borough_gss, COUNT(*) AS fires
  FROM london.lfb.incidents
  GROUP BY borough_gss
) AS f ON f.borough_gss = b.gss
JOIN (
  SELECT borough_gss, COUNT(*) AS fires
  FROM london.lfb.incidents
  WHERE hmo = true
  GROUP BY borough_gss
) AS hf ON hf.borough_gss = b.gss
JOIN (
  SELECT borough_gss, SUM(households) AS households
  FROM every.dwellings
  GROUP BY borough_gss
) AS h ON h.borough_gss = b.gss
JOIN (
  SELECT borough_gss, SUM(households) AS households
  FROM every.dwellings
  WHERE hmo IN ('small', 'large')
  GROUP BY borough_gss
) AS hh ON hh.borough_gss = b.gss
ORDER BY hmo_fires_percent DESC, borough
