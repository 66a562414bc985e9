# shellcheck shell=bash
# How a lesson is told and held to what it says; each lesson reads this file first.
#
# What a lesson says stands in its comments, which are printed as it comes to them. A command is printed before it runs.
# `see` looks for words in what the last command printed: where they are missing the lesson ends, and says so.

set -euo pipefail
shopt -s inherit_errexit

# Seconds within which what a lesson waits for has to be so.
patience=90
# What the last command printed, its data first; its data alone; and how it was called.
last='' data='' called=''
# The processes that the lesson has started.
started=()

exec 3>&1
if [ -t 3 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

# The folder of the lesson: the one that was named, which stays, or one that goes with the lesson.
kept=yes
if [ -z "${1:-}" ]; then
    kept=no
    set -- "$(mktemp -d "${TMPDIR:-/tmp}/meridian-academy-XXXXXX")"
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
if [ -n "$(ls -A "$folder")" ]; then
    echo "$folder is not empty: name a new folder" >&2
    exit 2
fi
lesson=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
mapfile -t lines <"$lesson"

finish() {
    local code=$?
    trap - EXIT DEBUG
    if [ "$code" = 0 ]; then tell $((${#lines[@]} + 1)); fi
    local process
    for process in "${started[@]}"; do
        kill "$process" 2>/dev/null || true
    done
    for process in "${started[@]}"; do
        wait "$process" 2>/dev/null || true
    done
    cd /
    if [ "$kept" = no ]; then
        rm -rf "$folder"
    else
        echo "The lesson's files are kept in $folder" >&3
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Prints the comments of the lesson down to a line; text that is handed to a command is none of them.
told=1
ends=''
tell() {
    local line blank=no
    while [ "$told" -lt "$1" ]; do
        line=${lines[told - 1]}
        told=$((told + 1))
        if [ -n "$ends" ]; then
            if [ "$line" = "$ends" ]; then ends=''; fi
            continue
        fi
        if [[ $line =~ \<\<\'([A-Z]+)\' ]]; then ends=${BASH_REMATCH[1]}; fi
        case $line in
        '#!'* | '# shellcheck'*) ;;
        '### '*) section "${line#'### '}" ;;
        '# '* | '#')
            if [ "$blank" = yes ]; then echo; fi
            blank=no
            line=${line#'#'}
            echo "${line# }"
            ;;
        '') blank=yes ;;
        esac
    done >&3
}

# A heading; somebody who reads along goes on when they like.
section() {
    if [ -t 0 ] && [ -t 3 ] && [ "$told" -gt 6 ]; then
        printf '%s' "${dim}Enter goes on.${plain} "
        read -r
    fi
    printf '\n%s\n' "${bold}── $1${plain}"
}

# A command as somebody would type it.
typed() {
    local word text=''
    for word; do
        if [[ $word =~ ^[A-Za-z0-9_./:,=@%+-]+$ ]]; then
            text+=" $word"
        elif [[ $word != *[\"\$\`\\]* ]]; then
            text+=" \"$word\""
        elif [[ $word != *\'* ]]; then
            text+=" '$word'"
        else
            text+=" $(printf '%q' "$word")"
        fi
    done
    printf '%s' "${text# }"
}

announce() {
    called=$1
    printf '\n%s\n' "${bold}\$ $1${plain}" >&3
}

# Runs a command, shows what it prints, and returns its code.
show() {
    local code=0
    "$@" >"$folder/.data" 2>"$folder/.said" || code=$?
    cat "$folder/.data" "$folder/.said" >&3
    data=$(<"$folder/.data")
    last=$(cat "$folder/.data" "$folder/.said")
    return "$code"
}

# Each command of the lesson, which has to succeed.
meridian() {
    announce "$(typed meridian "$@")"
    local code=0
    show command meridian "$@" </dev/null || code=$?
    [ "$code" = 0 ] || wrong "the command ended with $code"
}

# The same for a command that has to end with this code.
ends_with() {
    local expected=$1 code=0
    shift
    announce "$(typed "$@")"
    show command "$@" </dev/null || code=$?
    [ "$code" = "$expected" ] || wrong "the command ended with $code, not with $expected"
}

# A command whose output goes to a file.
into() {
    local file=$1 code=0
    shift
    announce "$(typed "$@") > $file"
    command "$@" </dev/null >"$file" 2>"$folder/.said" || code=$?
    cat "$folder/.said" >&3
    last=$(<"$folder/.said")
    [ "$code" = 0 ] || wrong "the command ended with $code"
}

# A command of the lesson that reads from standard input what nobody else should see.
with_input() {
    local input=$1 code=0
    shift
    announce "$(typed "$@")"
    printf '%s\n' "${dim}(on its standard input: $input)${plain}" >&3
    show command "$@" <<<"$input" || code=$?
    [ "$code" = 0 ] || wrong "the command ended with $code"
}

# Ends the node of a body.
stop() {
    local at
    announce "kill -TERM NODE    # the node of $1"
    for at in "${!started[@]}"; do
        if tr '\0' ' ' <"/proc/${started[at]}/cmdline" | grep -q " $1/node.toml"; then
            kill "${started[at]}"
            wait "${started[at]}" || true
            unset "started[at]"
        fi
    done
}

# Any other command.
run() {
    announce "$(typed "$@")"
    show "$@" </dev/null || wrong "the command failed"
}

# Starts what goes on until the lesson ends; what it says goes to a file.
serve() {
    local log=$1
    shift
    announce "$(typed "$@") &"
    command "$@" </dev/null >"$log" 2>&1 3>&- &
    started+=($!)
}

# A command or function, but for the one that tells.
quietly() {
    if [ "$1" = meridian ]; then command "$@"; else "$@"; fi
}

# Waits until a command succeeds.
wait_for() {
    local what=$1 until=$((SECONDS + patience))
    shift
    printf '%s\n' "${dim}(waiting until $what)${plain}" >&3
    called=$(typed "$@")
    until (quietly "$@") </dev/null >"$folder/.said" 2>&1; do
        if [ "$SECONDS" -ge "$until" ]; then
            last=$(<"$folder/.said")
            wrong "it was not so within $patience s that $what; the last try said: $last"
        fi
        sleep 0.2
    done
}

# Whether a command prints these words.
prints() {
    local words=$1 text
    shift
    text=$(quietly "$@" 2>/dev/null) && [[ $text == *"$words"* ]]
}

# Whether the node whose health is told at this port is ready.
ready() {
    local answer
    exec 4<>"/dev/tcp/127.0.0.1/$1" || return
    printf 'GET /ready HTTP/1.0\r\n\r\n' >&4
    read -r answer <&4
    exec 4>&-
    [[ $answer == *' 200 '* ]]
}

# Waits until a command fails, which is a command that works until then.
wait_until_not() {
    local what=$1
    shift
    wait_for "$what" fails "$@"
}

fails() {
    ! quietly "$@"
}

# Looks for words in what the last command printed.
see() {
    [[ $last == *"$1"* ]] || wrong "this is missing in what it printed: $1"
    if [ -n "${2:-}" ]; then printf '  → %s: %s\n' "$1" "$2" >&3; fi
}

# Makes sure that words are not in its data.
see_no() {
    [[ $data != *"$1"* ]] || wrong "this should not be in what it printed: $1"
    if [ -n "${2:-}" ]; then printf '  → no %s: %s\n' "$1" "$2" >&3; fi
}

wrong() {
    local frame=0 log
    while [ "${BASH_SOURCE[frame + 1]}" != "$0" ]; do frame=$((frame + 1)); done
    printf '\n%s\n' "This lesson is not as it should be. After: $called" "$1" "It stands in $lesson, line ${BASH_LINENO[frame]}." >&2
    for log in "$folder"/*.log; do
        if [ -f "$log" ]; then
            printf '%s\n' "The end of $log:" >&2
            tail -n 3 "$log" >&2
        fi
    done
    exit 1
}

# A port on this machine that nothing listens at, below those of a demo, which may start at any moment.
number=${lesson##*/}
next_port=$((1000 + 1000 * ${number%%-*} + $$ % 90 * 11))
free_port() {
    while (exec 4<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; do next_port=$((next_port + 1)); done
    printf -v "$1" '%s' "$next_port"
    next_port=$((next_port + 1))
}

# London on this machine, with two boroughs, in the folder london. Its ports are any that are free, and somebody else may be
# faster: then it is made once more.
london() {
    local try until
    for try in 1 2 3; do
        serve demo.log meridian demo --bodies camden,hackney --dir london
        printf '%s\n' "${dim}(waiting until five nodes have joined and answered the demo's own question)${plain}" >&3
        until=$((SECONDS + patience))
        until grep -q 'Ctrl-C ends all nodes' demo.log; do
            if ! kill -0 "${started[-1]}" 2>/dev/null; then
                if [ "$try" -lt 3 ] && grep -q 'Address already in use' demo.log; then
                    rm -rf london
                    continue 2
                fi
                wrong 'the demo has ended'
            fi
            [ "$SECONDS" -lt "$until" ] || wrong "the demo was not up within $patience s"
            sleep 0.2
        done
        return
    done
}

# A federation in the folder authority, and these bodies, each joined in a folder of its own: lesson 1 shows how.
town() {
    local authority body flight health words
    free_port authority
    command meridian authority init --federation london --dir authority 2>>town.log
    serve authority.log meridian authority serve --dir authority --listen "127.0.0.1:$authority"
    wait_for "the authority can be reached" bash -c "exec 4<>/dev/tcp/127.0.0.1/$authority"
    for body; do
        free_port flight
        free_port health
        read -r -a words < <(command meridian authority invite "$body" --endpoint "https://127.0.0.1:$flight" --authority "https://127.0.0.1:$authority" --dir authority 2>>town.log)
        command "${words[@]}" --listen "127.0.0.1:$flight" --health "127.0.0.1:$health" 2>>town.log
        printf '%s\n' "${dim}($body has joined)${plain}" >&3
    done
}

# Starts the node of a body, and waits until it is ready.
node() {
    local health
    health=$(sed -n 's/^health = "127.0.0.1:\(.*\)"/\1/p' "$1/node.toml")
    serve "$1.log" meridian node serve --config "$1/node.toml"
    wait_for "the node is ready" ready "$health"
}

command -v meridian >/dev/null || {
    echo 'there is no meridian on the PATH: build it with cargo build, and put the folder target/debug on it' >&2
    exit 2
}
unset MERIDIAN_PROFILE MERIDIAN_LOG
cd "$folder"
trap 'tell "$LINENO"' DEBUG
