# Runs the tests that are in /vm/tests; fails where one does.
failed=0
export IOPROF_TEST_PROGRAMS=/vm/programs IOPROF_SKIP_LOG=/vm/skipped IOPROF_IN_VM=1
: >"$IOPROF_SKIP_LOG"
[ -e /vm/before ] && . /vm/before
for test in /vm/tests/*; do
    echo "guest: $(basename "$test")"
    (cd "$TEST_FOLDER" && eval "\"$test\" $TEST_ARGUMENTS") || failed=1
done
echo "tests skipped: $(wc -l <"$IOPROF_SKIP_LOG")"
sort -u "$IOPROF_SKIP_LOG"
exit $failed
