"""pandas: fires by year as a data frame. A withheld figure is missing, and stays so: it is never 0."""

import pandas
import pyarrow
from meridian_profile import connect

FIRES = "SELECT year, property_type, COUNT(*) AS fires FROM lfb.incidents GROUP BY year, property_type"
# Types in which a whole number stays one beside what is missing.
TYPES = {pyarrow.int64(): pandas.Int64Dtype(), pyarrow.int32(): pandas.Int32Dtype(), pyarrow.string(): pandas.StringDtype()}

with connect() as connection, connection.cursor() as cursor:
    cursor.execute(FIRES)
    fires = cursor.fetch_arrow_table().to_pandas(types_mapper=TYPES.get)

print(fires.pivot(index="year", columns="property_type", values="fires"))
print("missing:", fires["fires"].isna().sum())
