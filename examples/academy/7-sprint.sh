#!/usr/bin/env bash
### Lesson 7: a sprint
#
# Four bodies have a week: does it burn more often where homes are let by the room? In a sprint the question comes first. You write
# it on made-up rows, it becomes the one agreement that all sign, the same words run on the real rows, and when the week is over
# so is the agreement.
. "$(dirname "$0")/lesson.sh"

### Before: the bodies as they are
# The demo stands for the real thing here. (Its own rows are made up, too, but its nodes don't know that, and protect each of them.)
london
export MERIDIAN_PROFILE=london/asha/profile.toml
mkdir -p sprint/answers questions
cat >questions/fires.sql <<'SQL'
-- Dwelling fires since 2019, by borough and whether the home is let by the room
SELECT borough_gss, hmo, COUNT(*) AS fires FROM lfb.incidents WHERE year >= 2019 GROUP BY borough_gss, hmo ORDER BY 1, 2
SQL
cat >questions/homes.sql <<'SQL'
-- Households by borough and whether the home is let by the room
SELECT borough_gss, hmo, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss, hmo ORDER BY 1, 2
SQL
cat >questions/rate.sql <<'SQL'
-- Both in one: fires per 1,000 households, by borough
SELECT f.borough_gss, f.fires, h.households, round(1000.0 * f.fires / h.households, 2) AS fires_per_1000
FROM (SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents WHERE year >= 2019 AND hmo GROUP BY borough_gss) AS f
JOIN (SELECT borough_gss, SUM(households) AS households FROM every.dwellings WHERE hmo <> 'none' GROUP BY borough_gss) AS h
  ON h.borough_gss = f.borough_gss
ORDER BY 4 DESC
SQL

### Day one: a question, on rows that nobody has to protect
# Your own node knows what all bodies publish and on which terms. Of that, and of no row, the space for the week is made.
meridian sprint new hmo --purpose hmo-sprint --datasets lfb.incidents,every.dwellings,gla.boroughs \
    --until "$(date -u -d '+7 days' +%F)" --queries questions/rate.sql questions/fires.sql questions/homes.sql --dir sprint/space
see "london.lfb.incidents"
see "made rows"
run head -n 12 sprint/space/lfb/datasets/incidents.toml
see "SYNTHETIC"
run head -n 4 sprint/space/lfb/data/incidents.csv

# It runs like the demo: a process for each body, each with a key of its own.
serve sprint.log meridian sprint serve sprint/space
wait_for "the sprint is up" grep -q "Ctrl-C ends all nodes" sprint.log
meridian query --profile sprint/space/the-analyst/profile.toml -f questions/rate.sql
see "fires_per_1000" "the columns are right; the figures say nothing"
# What the real terms forbid, the made rows don't give either: you learn it today, and not on the day on which all have signed.
ends_with 1 meridian query --profile sprint/space/the-analyst/profile.toml "SELECT property_type FROM lfb.incidents"
see "aggregate"

### Day two: who would say no?
# For the purpose of the sprint nobody has agreed on anything yet, and each body says so. Nothing has run.
ends_with 3 meridian check --purpose hmo-sprint -f questions/rate.sql
see "lfb: no"
see "No:"

### Day three: one document
# The question that needs most becomes the draft. It names the owners, their datasets, and the columns of the question.
into sprint/agreement.toml meridian agreement draft --id hmo-sprint-2026 --purpose hmo-sprint -f questions/rate.sql
run cat sprint/agreement.toml
see 'bodies = ["camden", "hackney"]' "both boroughs in one grant"
see '"lfb"'

# People fill in the rest, and put the box around it: a week, no longer. The GLA is asked to watch over it as a trustee.
fill() { sed -i "s|^$1 = .*|$1 = $2|" sprint/agreement.toml; }
for key in title benefit legal_power lawful_basis necessity method dpia dpo_view retention area; do
    fill "$key" '"Made up for a lesson"'
done
fill contact '"data@loda.example"'
fill rights_contact '"rights@loda.example"'
fill review "\"$(date -u -d '+6 days' +%F)\""
fill end "\"$(date -u -d '+7 days' +%F)\""
sed -i '/^recipients/a trustees = ["gla"]\ntrustees_needed = 1' sprint/agreement.toml
run grep -E '^(start|end|trustees|trustees_needed|recipients)' sprint/agreement.toml
meridian agreement propose sprint/agreement.toml --config london/loda/node.toml
id=$data

### Day four: signatures
# Each body signs at its own machine, in any order, and owners don't wait for each other.
for body in loda gla lfb camden hackney; do
    wait_for "$body has the document" meridian agreement show "$id" --config "london/$body/node.toml"
    meridian agreement sign "$id" --config "london/$body/node.toml"
done
meridian agreement show "$id" --config london/loda/node.toml
see "Of its 1 trustees, 1 must sign"

### Day five: the same words, answered
wait_for "all have it in force" meridian query --purpose hmo-sprint -f questions/rate.sql
for question in questions/*.sql; do
    name=$(basename "$question" .sql)
    into "sprint/answers/$name.csv" meridian query --purpose hmo-sprint --format csv --receipt-file "sprint/answers/$name.receipt" -f "$question"
    see "hmo-sprint-2026"
done
run cat sprint/answers/rate.csv
see "E09000012" "Hackney"

# What is left of the sprint: questions that anybody can ask again, answers, and a proof for each.
for receipt in sprint/answers/*.receipt; do
    meridian receipt verify "$receipt" --ca london/asha/ca.pem
    see "all signatures hold"
done

### And after
# From the day after the sprint on the made rows are served no more, and on the last day of the agreement each owner's node stops by
# itself. Whoever wants to go on, drafts the next one, with a longer end: it is the same questions.
meridian agreement list --config london/lfb/node.toml
see "hmo-sprint-2026"

### What you have done
# From a question to an answer of four bodies in five days, most of them for people to read and sign. Next: lesson 8, when one machine is
# not enough.
