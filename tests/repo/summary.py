#!/usr/bin/env python3
"""Closing lines of a test run: what was skipped and failed, by name, then `N passed, N failed, N skipped`.

usage: summary.py JUNIT.xml CTEST_STATUS
Exit status 1 when a test failed, when ctest itself reported an error, or when no test ran.
"""
import sys
import xml.etree.ElementTree as ET


def main():
    try:
        cases = list(ET.parse(sys.argv[1]).getroot().iter('testcase'))
    except (OSError, ET.ParseError) as error:
        print(f'summary: no test results: {error}')
        print('0 passed, 1 failed')
        return 1
    passed, failed, skipped = 0, [], []
    for case in cases:
        state = case.get('status')
        if state == 'run':
            passed += 1
        elif state in ('notrun', 'disabled') or case.find('skipped') is not None:
            skipped.append(case)
        else:
            failed.append(case)
    for case in skipped:
        reason = case.find('skipped')
        text = (case.findtext('system-out') or '').strip().splitlines()
        why = next((line.strip() for line in text if 'needs ' in line), reason.get('message', '') if reason is not None else '')
        print(f'SKIPPED {case.get("name")}: {why}')
    for case in failed:
        print(f'FAILED {case.get("name")}')
    if int(sys.argv[2]) != 0 and not failed:
        failed.append(None)
        print('FAILED: ctest reported an error without a failed test')
    print(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    return 1 if failed or passed == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
