#!/bin/sh
# Train on several hosts over ssh, with one worker per host. A worker that fails is restarted.
#
#     sh hosts.sh "host1:12345 host2:12345" --run /shared/runs/first --epochs 20
#
# The first argument lists the workers; the others are passed to `keras-vae train`. Every host needs keras-vae on its
# PATH, the data, and --run on a shared file system. Environment variables: KERAS_VAE and SSH replace the commands,
# TRIES (20) is the maximum number of starts of a worker, PAUSE (5) the seconds between them.
set -u
addresses=$1
shift
workers=$(echo $addresses | tr ' ' ',')
words=
for word in "$@"; do
    words="$words '$(printf %s "$word" | sed "s/'/'\\\\''/g")'"
done

# Run worker $2 at address $1 until it succeeds.
worker() {
    try=1
    while [ "$try" -le "${TRIES:-20}" ]; do
        ${SSH:-ssh -tt} "${1%:*}" "${KERAS_VAE:-keras-vae} train --workers $workers --worker-index $2 $words" </dev/null &
        child=$!
        trap 'kill $child; exit 130' INT TERM
        wait "$child" && return 0
        echo "worker $2 at $1 failed, try $try" >&2
        try=$((try + 1))
        sleep "${PAUSE:-5}"
    done
    return 1
}

processes=
index=0
for address in $addresses; do
    worker "$address" "$index" &
    processes="$processes $!"
    index=$((index + 1))
done
trap 'kill $processes; exit 130' INT TERM
failed=0
for process in $processes; do
    wait "$process" || failed=1
done
exit $failed
