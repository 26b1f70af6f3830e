import { deepEqual } from 'node:assert/strict';
import { readGoTests } from '../../lab/go-tests.ts';

const OUTPUT = `=== RUN   TestAll
    main.go:1: begun
=== RUN   TestAll/First
=== RUN   TestAll/First/allows
    helper.go:71: asked
=== RUN   TestAll/First/denies
    helper.go:71: FAILED
=== NAME  TestAll/First
    main.go:9: cleaned up
=== RUN   TestAll/Second
    main.go:7: not here
=== RUN   TestAll/Third
    main.go:8: on its way
--- FAIL: TestAll (9.00s)
    --- FAIL: TestAll/First (3.25s)
        --- PASS: TestAll/First/allows (0.25s)
        --- FAIL: TestAll/First/denies (3.00s)
    --- SKIP: TestAll/Second (0.00s)
FAIL`.split('\n');

describe("what Go's test programs write", () => {
  it('is read test by test, each with its own output', () => {
    deepEqual(
      readGoTests(OUTPUT).map(({ name, state, seconds, output }) => [
        name,
        state,
        seconds,
        output
          .map((line) => line.trim())
          .filter((line) => line.startsWith('helper.go') || line.startsWith('main.go')),
      ]),
      [
        ['TestAll', 'FAIL', 9, ['main.go:1: begun']],
        ['TestAll/First', 'FAIL', 3.25, ['main.go:9: cleaned up']],
        ['TestAll/First/allows', 'PASS', 0.25, ['helper.go:71: asked']],
        ['TestAll/First/denies', 'FAIL', 3, ['helper.go:71: FAILED']],
        ['TestAll/Second', 'SKIP', 0, ['main.go:7: not here']],
        ['TestAll/Third', 'FAIL', 0, ['main.go:8: on its way']],
      ],
    );
  });
});
