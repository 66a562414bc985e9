#!/usr/bin/env bash
### Lesson 5: reading a receipt
#
# With each answer comes a receipt: who released what, to whom, for which purpose, under which agreement, each part signed by the
# body that released it and bound to a record in its log. In this lesson you read one, have it confirmed by others, check it
# without any node, and find the same release from the other side.
. "$(dirname "$0")/lesson.sh"

london
export MERIDIAN_PROFILE=london/asha/profile.toml

### The receipt
meridian query --receipt-file receipt "SELECT year, COUNT(*) AS fires FROM lfb.incidents WHERE year >= 2020 GROUP BY year ORDER BY year"
see "all signatures hold"
# The same in plain words, for somebody who is no programmer.
meridian receipt show receipt --ca london/asha/ca.pem
see "lfb released statistics" "the brigade has signed this"
see "fire-risk-2026" "on which terms"

### Witnesses
# A log could be written anew by whoever keeps it. So other bodies keep each other's checkpoints, and sign for them. A few
# seconds later two of them have confirmed that these records are in the logs.
witnessed() {
    quietly meridian receipt witness receipt 2>&1 && ! prints unwitnessed meridian receipt verify receipt --ca london/asha/ca.pem
}
wait_for "two other bodies have confirmed it" witnessed
meridian receipt verify receipt --ca london/asha/ca.pem
see_no "unwitnessed"

### Without any node
# To check a receipt, you need the file and the certificate of the federation's authority, and nothing else: no network, no node.
# Whoever changes a byte of it is found out.
cat receipt >receipt.forged
printf 'X' | dd of=receipt.forged bs=1 seek=200 conv=notrunc status=none
ends_with 1 meridian receipt show receipt.forged --ca london/asha/ca.pem

### From the other side
# The brigade's officer reads the same release in the brigade's own log.
meridian audit search --purpose fire-risk --config london/lfb/node.toml --format csv
see "completed"
record=$(tail -n 1 <<<"$data" | cut -d, -f1)
meridian audit show "$record" --config london/lfb/node.toml
see "asha" "who asked, as their own body vouches for it"
see "agreement"

# The log as a whole is checked offline too: nothing was edited, left out or put into another order.
meridian audit verify --config london/lfb/node.toml

### What anybody may read
# How often an agreement was used, the public reads in the register: pages that each node serves. Here they are as files.
meridian register --config london/lfb/node.toml --dir pages
run ls pages
see "index.html"

### What you have done
# You can show to anybody, years from now, what was given for which purpose, and they need not believe you.
