-- What every body paid to one supplier, most first
-- 20 to 35 rows: body varchar, spent decimal(24,2)
SELECT _body AS body, SUM(amount) AS spent
FROM every.spend
WHERE upper(supplier) LIKE 'NORTHBANK CLEANING%'
GROUP BY _body
ORDER BY spent DESC, body
