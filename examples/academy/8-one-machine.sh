#!/usr/bin/env bash
### Lesson 8: when one machine is not enough
#
# A node is one process beside its body's data. In this lesson you see which rows it holds in memory and which it does not, how it
# says that it has not enough, and where rows can lie so that it needs less.
. "$(dirname "$0")/lesson.sh"

### A folder of Parquet
# The demo writes a hundred thousand made-up households of a borough; because they are made up, they may be open here.
london
town hackney
mkdir -p hackney/homes/year=2025 hackney/homes/year=2026
run cp london/hackney/data/dwellings.parquet hackney/homes/year=2025/
run cp london/hackney/data/dwellings.parquet hackney/homes/year=2026/
cat >hackney/datasets/homes.toml <<'TOML'
name = "homes"
title = "Homes by year"
description = "Made up"
licence = "OGL-UK-3.0"
form = "open"

# All files of the kind below the folder, with a column for each folder that is named like year=2026. The path may as well name an
# object store: "s3://hackney-files/homes/", of which node.toml says under [[stores]] where it is.
[source]
kind = "parquet"
path = "homes"

[[columns]]
name = "year"
type = "varchar"

[[columns]]
name = "uprn"
type = "bigint"

[[columns]]
name = "accom_code"
type = "integer"
TOML
run cat hackney/datasets/homes.toml

# This node may use very little memory for questions: two MiB. The default is 512. And none of its disk: by default sorts and groups
# that its own analysts ask for over open data of its own go on there, up to 4,096 MiB.
cat >>hackney/node.toml <<'TOML'

[limits]
memory_mib = 2
spill_mib = 0
TOML
node hackney
command meridian analyst add asha --config hackney/node.toml --dir asha
export MERIDIAN_PROFILE=$folder/asha/profile.toml
wait_for "the node knows her" meridian catalogue

### What is not held
# Parquet without a unit is read anew by each question, and only as far as the question needs: of folders those that its conditions
# let through, of files the columns that it names. So a table may be much larger than the memory.
by_kind="SELECT accom_code, COUNT(*) AS homes FROM hackney.homes WHERE year = '2026' GROUP BY accom_code ORDER BY homes DESC"
meridian query "$by_kind"
see "homes"
meridian explain "$by_kind"
see "projection=[accom_code]" "one column of three is read"
see "full_filters" "and of folders those of 2026"

### What has to be held
# A group for each home has to be remembered until the end. The node says that it has not enough, and what to do; it goes on
# answering everybody else.
by_home="SELECT uprn, COUNT(*) AS years FROM hackney.homes GROUP BY uprn ORDER BY years DESC LIMIT 3"
ends_with 1 meridian query "$by_home"
see "more memory than this node gives to queries" "the limit, not a crash"
see "ask for fewer rows or columns, or aggregate more" "what the analyst can do"
meridian query "$by_kind"

# And this is what the operator can do.
run sed -i 's/^memory_mib = 2$/memory_mib = 256/' hackney/node.toml
stop hackney
node hackney
meridian query "$by_home"

### What is always held
# A dataset with a unit – whatever is protected – is held in memory whole, as are CSV, Excel and JSON lines. How much that is, and
# whether the machine has it, the doctor says.
meridian node check --config hackney/node.toml --thorough
see "memory"

### Rows in a database
# Open data in PostgreSQL is not fetched: conditions, joins, sorts and totals are worked out by the server, wherever that gives the
# same answer. A server that is away takes down its own datasets and no others, and is said by name.
(umask 077 && echo secret >hackney/housing.password)
cat >>hackney/node.toml <<TOML

[[databases]]
name = "housing"
host = "$folder"
database = "homes"
user = "meridian"
password_file = "housing.password"
TOML
cat >hackney/datasets/repairs.toml <<'TOML'
name = "repairs"
title = "Repairs"
description = "Made up"
licence = "OGL-UK-3.0"
form = "open"

[source]
kind = "postgres"
database = "housing"
table = "public.repairs"

[[columns]]
name = "ward"
type = "varchar"
TOML
ends_with 3 meridian node check --config hackney/node.toml
see "housing" "which server can't be reached, and what to do"

### What you have done
# In order: aggregate more; give the node more memory, or a part of its disk; keep large open tables as Parquet, in a folder or an object store; leave tables
# in the database in which they are. README tells more under "A body runs a node".
