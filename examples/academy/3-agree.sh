#!/usr/bin/env bash
### Lesson 3: an agreement is drafted, signed and used
#
# LODA wants to know in which months homes burn, and the brigade has agreed on no such thing. In this lesson the question itself
# becomes the draft of an agreement, people fill in what only people can say, each body signs, the same question is answered; and
# the brigade thinks again.
. "$(dirname "$0")/lesson.sh"

### A question without an agreement
london
export MERIDIAN_PROFILE=london/asha/profile.toml
cat >months.sql <<'SQL'
SET purpose = 'winter-visits';
SELECT month, COUNT(*) AS fires FROM lfb.incidents WHERE year >= 2019 GROUP BY month ORDER BY month
SQL
run cat months.sql
ends_with 1 meridian query -f months.sql
see "lfb" "who refuses"
see "agreement" "and why: there is none for this purpose"

### The question becomes a draft
# The draft names exactly what the question needs: this dataset, these columns, this form, and not a word more.
into winter.toml meridian agreement draft --id winter-visits-2026 -f months.sql
see "legal_power" "what is to be filled in before it can be proposed"
run cat winter.toml
see 'columns = ["year", "month"]' "the columns of the question"

# Proposed as it is, it is sent back: a person has to say the rest.
ends_with 1 meridian agreement propose winter.toml --config london/loda/node.toml
see "fill it in"

### People fill it in
# Your colleagues in law and data protection write their parts. This script writes something, so that the lesson can go on.
fill() { sed -i "s|^$1 = .*|$1 = \"$2\"|" winter.toml; }
fill title "Dwelling fires by month"
fill benefit "Home fire safety visits are made before the months in which homes burn"
fill legal_power "Fire and Rescue Services Act 2004, section 6"
fill lawful_basis "UK GDPR article 6(1)(e)"
fill necessity "Months are the least that shows a season"
fill method "Statistics leave the brigade's node over mutual TLS"
fill dpia "LFB-DPIA-2026-40"
fill dpo_view "Content: no row of a person leaves"
fill retention "Two years"
fill review "2027-01-31"
fill area "Greater London"
fill contact "data@loda.example"
fill rights_contact "rights@lfb.example"
run cat winter.toml

### Proposed
# Now it goes to all whom it concerns. Its id is made of its text: another comma would be another document.
meridian agreement propose winter.toml --config london/loda/node.toml
id=$data
see "nothing is in force yet"
# LODA signs.
meridian agreement sign "$id" --config london/loda/node.toml
# And still the brigade gives nothing.
ends_with 1 meridian query -f months.sql

### The brigade reads, and signs
# This is what the brigade's officer sees, on the brigade's own machine: who has signed, who has not, and the whole text.
wait_for "the document has come to the brigade" meridian agreement show "$id" --config london/lfb/node.toml
meridian agreement show "$id" --config london/lfb/node.toml
see "It is not in force at the node of lfb: lfb has not signed."
meridian agreement sign "$id" --config london/lfb/node.toml
see "lfb has signed"

### The same question
wait_for "the brigade's node has it in force" meridian query -f months.sql
meridian query -f months.sql
see "winter-visits-2026" "the receipt names the agreement that it rests on"

# What the document does not name is refused as before, though the brigade publishes it.
ends_with 1 meridian query --purpose winter-visits "SELECT property_type, COUNT(*) AS fires FROM lfb.incidents GROUP BY property_type"
see "property_type"

### And back
# A body can withdraw at any time, by itself, and for good. It works within seconds, and cuts off answers that are under way.
meridian agreement withdraw "$id" --config london/lfb/node.toml
wait_until_not "the brigade's node gives nothing more" meridian query -f months.sql
ends_with 1 meridian query -f months.sql
meridian agreement list --config london/loda/node.toml
see "winter-visits-2026"

### What you have done
# A question, a draft, two signatures, an answer, and the end of it. Nobody edited a node's configuration.
# Next: lesson 4, in which a question is refused although there is an agreement.
