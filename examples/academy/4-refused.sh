#!/usr/bin/env bash
### Lesson 4: a refusal, and how to get what you need
#
# A refusal is an answer: it says which rule of which body, where in your question, and what would work. In this lesson you are
# refused three times, and get what you need each time.
. "$(dirname "$0")/lesson.sh"

london
export MERIDIAN_PROFILE=london/asha/profile.toml

### No list of fires
# You would like the fires themselves.
ends_with 1 meridian query "SELECT year, borough_gss FROM lfb.incidents"
see "london.lfb.incidents leaves as statistics only" "which dataset, and the rule"
see "aggregate it" "what would work"
see "line 1" "the place in your own SQL"

# They leave as statistics alone. Numbers are what the question was about, after all.
meridian query "SELECT year, COUNT(*) AS fires FROM lfb.incidents WHERE year >= 2020 GROUP BY year ORDER BY year"
see "fire-risk-2026"

### A column that was not agreed on
cat >wards.sql <<'SQL'
SELECT borough_gss,
       ward_gss,
       COUNT(*) AS fires
  FROM lfb.incidents
 WHERE borough_gss = 'E09000012'
 GROUP BY 1, 2
 ORDER BY fires DESC
 LIMIT 5
SQL
# Before you ask, see what would happen. A check runs nothing; that somebody would say no, it says by ending with 3.
ends_with 3 meridian check -f wards.sql
see "ward_gss" "the column"
see "instead" "what to do"
see "line 2" "the caret points at it"

# Wards tell fires apart much more than boroughs do, so the brigade agreed on them for another purpose, with a limit on how many
# cells may leave. Say that this is what it is for, and it is answered.
meridian query --purpose ward-risk -f wards.sql
see "ward-risk-2026"

### A cell that is withheld
# Some numbers are too small: a group of fewer than ten fires could point at somebody. It is left out, and you are told.
meridian query "SELECT property_type, COUNT(*) AS fires FROM lfb.incidents WHERE year = 2021 AND month = 2 AND borough_gss = 'E09000007' GROUP BY property_type"
see "left out" "groups under the threshold are not there; that is not the same as zero"

# Ask for more at once, and what you need is there: a year in place of a month.
meridian query "SELECT property_type, COUNT(*) AS fires FROM lfb.incidents WHERE year = 2021 AND borough_gss = 'E09000007' GROUP BY property_type ORDER BY fires DESC"
see "fires"

### Both sides know
# The first question was refused at your own node already, which knows how the brigade's fires leave. What came as far as the brigade,
# its officer finds in the brigade's own log: who asked, for what, and by which rule it was refused.
meridian audit search --outcome refused --config london/lfb/node.toml --format csv
see "asha" "who asked, as their own body vouches for it"
record=$(tail -n 1 <<<"$data" | cut -d, -f1)
meridian audit show "$record" --config london/lfb/node.toml
see "statistics.column" "the rule"

### What you have done
# Three times no, three times an answer, and nothing that anybody had to be persuaded of. Where there is no way by the terms as
# they are, the way is an agreement: lesson 3.
