#!/usr/bin/env bash
### Lesson 1: a body joins, and publishes
#
# You are the data officer of Camden. In this lesson your body becomes a member of a federation, publishes the payments that it
# has to publish anyway, and somebody of your own body asks for them in SQL.
#
# What you have learned at the end: that a key never leaves the machine on which it was made, that nothing is published by
# joining, and that a file can stay as it is.
. "$(dirname "$0")/lesson.sh"

### The authority invites
# Somebody keeps the list of members. In London that may be the GLA; here we found the authority ourselves, and let it run.
free_port authority
free_port flight
free_port health
meridian authority init --federation london --dir authority
serve authority.log meridian authority serve --dir authority --listen "127.0.0.1:$authority"
wait_for "the authority can be reached" bash -c "exec 4<>/dev/tcp/127.0.0.1/$authority"

# It invites Camden. What is printed is the command with which Camden joins: it is good for ten minutes and for one key.
meridian authority invite camden --endpoint "https://127.0.0.1:$flight" --authority "https://127.0.0.1:$authority" --dir authority
see "--fingerprint" "by this you know that it is the right authority; compare it by telephone"
see "--token" "good for one body and one key"
invitation=$data

### Camden joins
# On Camden's own machine that very command is run. The addresses at its end are there because all of this is one machine.
read -r -a words <<<"$invitation"
meridian "${words[@]:1}" --listen "127.0.0.1:$flight" --health "127.0.0.1:$health" --title "London Borough of Camden" --contact data@camden.example
see "publishes nothing yet" "to be in is one thing, to publish another"

# The folder that it made: configuration, certificate and key in one file that only you can read, and empty folders.
run ls -l camden
run cat camden/node.toml

### A file as it is
# This is what finance exports each month: a line above the headings, pounds with commas, brackets where money came back, and a
# total at the end. Leave it as it is; what is needed is a file beside it, that says what it means.
cat >payments.csv <<'CSV'
London Borough of Camden - payments over £500 - October 2026
Supplier Name,Purpose of spend,Payment date,Net amount
Acme Roofing Ltd,Repairs,01/10/2026,"£12,450.00"
Kentish Town Catering,School meals,03/10/2026,"£3,980.50"
Acme Roofing Ltd,Repairs,17/10/2026,(£450.00)
Heath Trees Cooperative,Tree care,21/10/2026,£875.25
CSV
mv payments.csv camden/payments.csv
cd camden

# There is an agreed shape for payments, so that those of all boroughs can be asked for as one. Meridian proposes how your columns
# fit it, and says how sure it is and why.
meridian standard list
see "spend" "payments to suppliers"
into datasets/spend.toml meridian standard map payments.csv --to spend
see "high" "what it is sure of"
run cat datasets/spend.toml
see 'form = "none"' "a proposal gives nothing to anybody until a person has looked at it"

### You decide
# You have looked at it, and payments are public by law: the form is `open`.
run sed -i 's/^form = "none"/form = "open"/' datasets/spend.toml
meridian standard check --config node.toml
see "all conform"
cd ..

# The doctor looks at everything that a node needs, and says for each fault what to do.
meridian node check --config camden/node.toml

# Then the node runs, and goes on running.
node camden

### Somebody asks
# Your body signs its own analysts; nobody else does. This is a key for Asha, with a profile that makes her commands short.
meridian analyst add asha --config camden/node.toml --dir asha
wait_for "the node knows her" meridian catalogue --profile asha/profile.toml
meridian catalogue --profile asha/profile.toml
see "london.camden.spend"
meridian query --profile asha/profile.toml "SELECT supplier, SUM(amount) AS pounds FROM camden.spend GROUP BY supplier ORDER BY pounds DESC"
see "12000.00" "12,450 less the 450 in brackets"
see "all signatures hold" "the receipt: lesson 5 reads it"

### A file that changes
# Next month's file takes the place of this one. Nobody restarts anything.
run sed -i 's/^Heath Trees Cooperative,.*/Heath Trees Cooperative,Tree care,21\/10\/2026,"£1,000.00"/' camden/payments.csv
wait_for "the node has read it" prints "1000.00" meridian query --profile asha/profile.toml --format csv "SELECT amount FROM camden.spend"
meridian query --profile asha/profile.toml "SELECT supplier, paid, amount FROM camden.spend WHERE supplier LIKE 'Heath%'"
see "1000.00"

### What you have done
# One command to join, one to propose a mapping, one word changed, one command to serve. The other bodies ask in the same words:
# `SELECT … FROM every.spend` is all payments of all who publish them.
# Next: lesson 2, in which an analyst asks.
