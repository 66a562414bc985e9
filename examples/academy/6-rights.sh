#!/usr/bin/env bash
### Lesson 6: the rights of a person
#
# You are the data protection officer of Camden. Your body lets LODA have rows of its repairs, under an agreement; among them are
# those of a tenant, whose number is 47110815. She writes to you: she objects. In this lesson you do what she has a right to, see that
# it works, and can tell her what was given to whom before.
. "$(dirname "$0")/lesson.sh"

### Two bodies, one dataset
town camden loda
cat >camden/repairs.csv <<'CSV'
tenant,ward,trade,days
4709,Regent's Park,roofing,12
4710,Kentish Town,plumbing,3
47110815,Gospel Oak,damp,41
4712,Gospel Oak,heating,2
47110815,Gospel Oak,heating,9
CSV
cat >camden/datasets/repairs.toml <<'TOML'
name = "repairs"
title = "Repairs in council homes"
description = "One row for each repair. Made up"
licence = "none"
form = "rows"

# What the dataset protects: whoever a row is about.
[unit]
kind = "tenant"
column = "tenant"

[source]
kind = "csv"
path = "repairs.csv"

[[columns]]
name = "tenant"
type = "bigint"
role = "identifier"

[[columns]]
name = "ward"
type = "varchar"
role = "dimension"

[[columns]]
name = "trade"
type = "varchar"
role = "dimension"

[[columns]]
name = "days"
type = "integer"
role = "measure"
TOML
run cat camden/datasets/repairs.toml
cat >camden/agreements/damp-2026.toml <<'TOML'
id = "damp-2026"
title = "Damp in council homes"
purpose = "damp"
benefit = "Homes are made dry before people fall ill"
legal_power = "Housing Act 2004, section 3"
lawful_basis = "UK GDPR article 6(1)(e)"
recipients = ["loda"]
start = "2026-01-01"
end = "2099-12-31"
contact = "data@camden.example"

[[grants]]
dataset = "repairs"
form = "rows"
columns = ["ward", "trade", "days"]
TOML
node camden
node loda
command meridian analyst add asha --config loda/node.toml --dir asha --purpose damp
export MERIDIAN_PROFILE=$folder/asha/profile.toml

# What LODA gets today: no number of a tenant, but the rows of all of them.
rows="SELECT ward, trade, days FROM camden.repairs ORDER BY days DESC"
wait_for "LODA's node knows what Camden publishes" meridian query "$rows"
meridian query "$rows"
see " 41" "the tenant's 41 days with damp"

### She objects
# The number comes on standard input, so that it stands in no history of a shell and no list of processes.
with_input 47110815 meridian rights object --config camden/node.toml --kind tenant --unit - --reference CASE-2026-118
see "Article 21"
see "2 rows of it in the source"
see "at once" "rows are live; statistics leave her out from the next monthly snapshot on, all together"
see "tell them (Article 19)" "whoever had it before has to be told by you"

wait_until_not "her rows have gone from the answers" prints ",41" meridian query --format csv "$rows"
meridian query "$rows"
see_no "41" "and nobody at LODA had to do anything"

### What was given before
# She also asks what is held of her, and who had it (Article 15).
with_input 47110815 meridian rights report --config camden/node.toml --kind tenant --unit - --rows for-her.json
see "damp-2026" "to whom it was released, for what, when"
see "loda"
run cat for-her.json
see "Gospel Oak" "the rows themselves are for her alone"

### A value is wrong
# 4710 says: it was four days, not three. Until the source is right, the node says what is right.
with_input 4710 meridian rights rectify --config camden/node.toml --dataset repairs --unit - --set days=4 --until-corrected
wait_for "the right value is in the answers" prints "plumbing,4" meridian query --format csv "$rows"
meridian query "$rows"

### What stands, and how it ends
meridian rights list --config camden/node.toml
see "CASE-2026-118"
see_no "47110815" "the list that is shown names nobody"
# Some time later she changes her mind.
meridian rights withdraw 1 --config camden/node.toml
wait_for "her rows are there again" prints ",41" meridian query --format csv "$rows"

# All of it is in the log, without her number: that there was an objection, since when it was in force, when it ended.
meridian audit verify --config camden/node.toml
run sh -c 'grep -c 47110815 -r camden/state/audit || true'
see_no ":1" "not once"

### What you have done
# One command for each right, at the one place where the data is. Recipients that hold older answers you have to tell yourself:
# the report names them. Next: lesson 7, a sprint.
