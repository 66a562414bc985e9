#!/usr/bin/env bash
### Lesson 2: an analyst asks
#
# You are Asha, an analyst of the London Office for Data Analytics. Five bodies are there: LODA, the GLA, the fire brigade, Camden
# and Hackney, each with a node of its own; all rows are made up. You find what there is, ask one question of five bodies, and see
# beforehand what each of them would give.
. "$(dirname "$0")/lesson.sh"

### London on this machine
# `meridian demo` makes it. In earnest none of this is yours to start: the nodes run at the bodies.
london
export MERIDIAN_PROFILE=london/asha/profile.toml
# Your profile names your node, your certificate, and what you ask for unless you say something else.
run cat london/asha/profile.toml
see 'purpose = "fire-risk"' "whatever is not open is given for a stated purpose only"

### What is there
# You ask your own node alone, and it knows what the others publish.
meridian catalogue search fires
see "london.lfb.incidents"
meridian catalogue --body lfb
see "statistics" "of fires there are numbers to be had, no list"
see "open" "of fire stations there is a list"

### A first question
# What is open is given as it is.
meridian query "SELECT name, borough_gss FROM lfb.stations ORDER BY name LIMIT 5"
see "all signatures hold"

# A name is body.dataset. `every.` stands for all who publish something of the same shape, here two boroughs.
meridian query "SELECT _body, SUM(households) AS households FROM every.dwellings GROUP BY _body ORDER BY _body"
see "camden"
see "hackney"
see "carry noise" "statistics differ a little from the truth, so that nobody can be told by the difference of two answers"

### Before you ask
# The question of the demo needs all of them: fires by the brigade, dwellings by the boroughs, names by the GLA.
run cat london/queries/fire_risk.sql
# Would each of them release its part? Nothing runs, and nothing leaves.
meridian check -f london/queries/fire_risk.sql
see "Yes: each of" "each body has decided by its own terms"
see "fire-risk-2026" "the agreement that the brigade and the boroughs rely on"

# What is asked of whom, in their own words: this is what an information governance officer can read.
meridian explain -f london/queries/fire_risk.sql
see "lfb"

### The question itself
meridian query -f london/queries/fire_risk.sql
see "Hackney"
see "fires_per_1000" "computed at your node, of numbers alone; no fire and no dwelling has been sent"

### For other programs
# The answer goes to standard output, all else to standard error: a file of it is a file of nothing but the answer.
into fires.csv meridian query --format csv -f london/queries/fire_risk.sql
run cat fires.csv
see "borough_gss,borough,fires,households,fires_per_1000"

# Without its purpose the same question is refused: an agreement holds for what it was made for.
ends_with 1 meridian query --purpose curiosity -f london/queries/fire_risk.sql
see "fire-risk"

### What you have done
# You asked five bodies one question, and no row of theirs came to you. Next: lesson 3, in which an agreement is made, or
# lesson 4, in which somebody says no.
