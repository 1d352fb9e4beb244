#!/usr/bin/env python3
"""The demo week twice through the whole pipeline: conservation holds, both runs agree, a third adds nothing.

usage: demo_run_test.py RACEWATCH
"""
import json
import subprocess
import sys
import tempfile


def run(binary, state):
    out = subprocess.run([binary, 'up', '--demo', '--once', '--state', state, '--http', '127.0.0.1:0', '--grpc', '127.0.0.1:0'],
                         capture_output=True, text=True, timeout=250)
    assert out.returncode == 0, f'exit {out.returncode}: {out.stderr[-500:]}'
    return json.loads(out.stdout.strip().splitlines()[-1])


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first, second = run(binary, one), run(binary, two)
        print(first)
        print(second)
        for line in (first, second):
            assert line['ingested'] == line['stored'] + sum(line['dropped'].values()) + line['dead_lettered'], 'conservation'
        assert first['stored'] >= 300 and first['dead_lettered'] == 0 and first['alerts'] >= 1
        for field in ('digest', 'stories', 'alerts', 'stored'):
            assert first[field] == second[field], f'{field} differs'
        again = run(binary, one)
        print(again)
        assert again['stored'] == 0 and again['alerts'] == 0 and again['digest'] == first['digest'], 'a second run adds something'
    print('1 passed, 0 failed')


if __name__ == '__main__':
    sys.exit(main())
