SELECT
  CAST("date" AS DATE) AS incident_date,
  CAST(date_part('year', CAST("date" AS DATE)) AS INT) AS year,
  CAST(date_part('month', CAST("date" AS DATE)) AS INT) AS month,
  borough AS borough_gss,
  NULLIF(ward, '') AS ward_gss,
  CASE hmo_yn WHEN 'HMO' THEN TRUE WHEN 'Other dwelling' THEN FALSE END AS hmo,
  CASE hmo_license
    WHEN 'HMO - licensed' THEN 'licensed'
    WHEN 'HMO - unlicensed' THEN 'unlicensed'
    WHEN 'HMO - unknown' THEN 'unknown'
    WHEN 'Other dwelling' THEN 'none'
  END AS hmo_licence,
  property_type,
  CAST(easting_rounded AS BIGINT) AS easting,
  CAST(northing_rounded AS BIGINT) AS northing
FROM source
