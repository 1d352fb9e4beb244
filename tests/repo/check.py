#!/usr/bin/env python3
"""Checks of the tree itself; each is a test of its own.

usage: check.py NAME [BINARY]     NAME: a function below without its `check_`; BINARY: racewatch, where a check runs it
Exit status 0 passed, 1 failed (one line per finding), 77 skipped (the reason starts with `needs`).
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOMS = ('base', 'ingest', 'classify', 'store', 'cli')
FUNCTION_LINES_MAX = 80


def tracked(*suffixes):
    out = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, check=True).stdout
    return [n for n in out.decode().split('\0') if n and os.path.exists(os.path.join(ROOT, n)) and
            (not suffixes or n.endswith(suffixes))]


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8', errors='replace') as file:
        return file.read()


def check_buf_lint():
    buf = os.path.join(ROOT, 'tests/repo/node_modules/.bin/buf')
    if not os.path.exists(buf):
        print('needs buf: run `npm ci` in tests/repo (deploy/test does)')
        return 77
    run = subprocess.run([buf, 'lint'], cwd=os.path.join(ROOT, 'proto'), capture_output=True, text=True)
    print(run.stdout + run.stderr, end='')
    return 1 if run.returncode else 0


def check_sources_are_built():
    """Every .cc stands in a CMakeLists.txt of its own folder or one above."""
    found = 0
    for name in tracked('.cc'):
        folder = os.path.dirname(name)
        listed = False
        while not listed:
            lists = os.path.join(folder, 'CMakeLists.txt')
            relative = os.path.relpath(name, folder or '.')
            if os.path.exists(os.path.join(ROOT, lists)) and re.search(r'(?<![\w/.-])' + re.escape(relative) + r'(?![\w.])', read(lists)):
                listed = True
            if not folder:
                break
            folder = os.path.dirname(folder)
        if not listed:
            print(f'{name}: in no CMakeLists.txt')
            found = 1
    return found


def check_rooms_are_apart():
    """ingest, classify and store never include one another; no room but cli and tests includes cli."""
    found = 0
    forbidden = {'base': ('ingest', 'classify', 'store', 'cli', 'tests'), 'ingest': ('classify', 'store', 'cli', 'tests'),
                 'classify': ('ingest', 'store', 'cli', 'tests'), 'store': ('ingest', 'classify', 'cli', 'tests'), 'cli': ('tests',)}
    for name in tracked('.cc', '.h'):
        room = name.split('/')[0]
        for line in re.findall(r'^#include "([^"]+)"', read(name), re.M):
            if line.split('/')[0] in forbidden.get(room, ()):
                print(f'{name}: includes {line}')
                found = 1
    return found


def check_banned_calls():
    """No exit, abort, detach, sleep or printing in library code."""
    banned = re.compile(r'(?<![\w.>])(?:std::)?(exit|abort|sleep|usleep)\(|\.detach\(\)|std::cout|std::this_thread::sleep_for|std::regex\b')
    found = 0
    for name in tracked('.cc', '.h'):
        if name.split('/')[0] not in ('base', 'ingest', 'classify', 'store'):
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            code = line.split('//')[0]
            if banned.search(code) and '"' not in code:
                print(f'{name}:{number}: {line.strip()}')
                found = 1
    return found


def check_headers_are_light():
    """Heavy headers stay out of our own (style.md: build time)."""
    heavy = re.compile(r'#include <(grpcpp/|rocksdb/|curl/|httplib|gtest|google/protobuf/(message|text_format|util)|librdkafka|libxml|unicode/)')
    allowed = {'base/bus/kafka_handles.h', 'base/bus/embedded_db.h'}  # internal to their folder
    found = 0
    for name in tracked('.h'):
        if name.split('/')[0] in ROOMS and name not in allowed and heavy.search(read(name)):
            print(f'{name}: {heavy.search(read(name)).group(0)}')
            found = 1
    return found


def check_functions_fit_a_screen():
    """Longest function of our code: a body opened at column 0 or inside a class and closed at the same indent."""
    start = re.compile(r'^(\s*)(?!namespace|class|struct|enum|union|extern|if|for|while|switch|else|do|return|constexpr|static const)[\w:~<>,&*\[\] ]+\(.*\{$')
    found = 0
    for name in tracked('.cc'):
        if name.split('/')[0] not in ROOMS:
            continue
        lines = read(name).splitlines()
        for i, line in enumerate(lines):
            match = start.match(line)
            if not match:
                continue
            end = next((j for j in range(i + 1, len(lines)) if lines[j].startswith(match.group(1) + '}')), i)
            if end - i + 1 > FUNCTION_LINES_MAX:
                print(f'{name}:{i + 1}: {end - i + 1} lines')
                found = 1
    return found


def check_local_links_are_alive():
    found = 0
    for name in tracked('.md'):
        for target in re.findall(r'\]\(([^)#\s]+)(?:#[^)]*)?\)', read(name)):
            if re.match(r'[a-z]+:', target):
                continue
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)):
                print(f'{name}: {target}')
                found = 1
    return found


def check_no_machine_paths():
    """No path of a machine, no registry host, no unfinished work."""
    mark = re.compile(r'/work/|/root/\.|registry\.npmjs|repo\.maven\.apache|deb\.debian|pypi\.org|\bTO' + r'DO\b|\bFIX' + r'ME\b')
    found = 0
    for name in tracked():
        if name.endswith(('.model', '.gz', '.png')) or name == 'tests/repo/check.py':
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            if mark.search(line):
                print(f'{name}:{number}: {line.strip()[:120]}')
                found = 1
    return found


def check_config_fields_are_commented():
    found = 0
    previous = ''
    for number, line in enumerate(read('proto/racewatch/v1/config.proto').splitlines(), 1):
        field = re.match(r'\s+(?:optional |repeated )?[\w.<>, ]+ (\w+) = \d+;', line)
        plain = {'bus', 'http', 'log', 'ingest', 'classifier', 'tagger', 'store', 'threshold', 'burst', 'theme', 'target', 'position', 'lean',
                 'feeds', 'rules', 'window_s', 'open'}
        if field and field.group(1) not in plain and '//' not in previous:
            print(f'config.proto:{number}: {field.group(1)} has no comment')
            found = 1
        previous = line
    return found


def check_metrics_are_documented():
    """Every metric name in the code stands in docs/metrics.md, and every documented one in the code."""
    documented = set(re.findall(r'`(racewatch_[a-z0-9_]+)', read('docs/metrics.md')))
    used = set()
    for name in tracked('.cc', '.h'):
        if name.split('/')[0] in ROOMS:
            used |= set(re.findall(r'"(racewatch_[a-z0-9_]+)"', read(name)))
    used -= {'racewatch_model', 'racewatch_base'}
    found = 0
    for name in sorted(used - documented):
        print(f'{name}: in the code, not in docs/metrics.md')
        found = 1
    for name in sorted(documented - used):
        print(f'{name}: in docs/metrics.md, not in the code')
        found = 1
    for board in ('deploy/grafana/racewatch.json', 'deploy/prometheus/rules.yml'):
        for name in sorted(set(re.findall(r'racewatch_[a-z0-9_]+', read(board)))):
            base = re.sub(r'_(bucket|sum|count)$', '', name)
            if base not in documented and name not in documented:
                print(f'{board}: {name} is no metric of ours')
                found = 1
    return found


def check_asyncapi_matches_the_topics():
    """docs/asyncapi.yaml holds every topic of base/bus/topics.cc with its partitions, policy and retention, and no other."""
    names = dict(re.findall(r'string_view (k\w+Topic) = "([^"]+)"', read('base/bus/topics.h')))
    table = {}
    for row in re.findall(r'\{(k\w+Topic), (\d+), (.+?), (true|false), (true|false), (.+?)\}', read('base/bus/topics.cc')):
        ms = lambda text: eval(text.replace('kDayMs', '86400000'))
        policy = ', '.join(word for word, on in (('compact', row[3]), ('delete', row[4])) if on == 'true')
        table[names[row[0]]] = (int(row[1]), policy, ms(row[2]), ms(row[5]))
    documented = {}
    for block in re.split(r'^    address: ', read('docs/asyncapi.yaml'), flags=re.M)[1:]:
        value = lambda key: re.search(r'^ +' + re.escape(key) + r': (.+)$', block, re.M).group(1)
        documented[block.split('\n')[0]] = (int(value('partitions')), value('cleanup.policy').strip('[]'), int(value('retention.ms')),
                                            int(value('min.compaction.lag.ms')))
    found = 0
    for name in sorted(set(table) | set(documented)):
        if table.get(name) != documented.get(name):
            print(f'{name}: topics.cc says {table.get(name)}, docs/asyncapi.yaml {documented.get(name)}')
            found = 1
    if set(table) != set(names.values()) or not table:
        print('base/bus/topics.cc: the table was not understood')
        found = 1
    return found


def check_commands_are_documented(binary):
    readme = read('README.md')
    names = re.findall(r'^  (\S+) ', subprocess.run([binary, '--help'], capture_output=True, text=True, check=True).stdout, re.M)
    found = 0
    for name in names:
        if f'racewatch {name}' not in readme and f'`{name}`' not in readme:
            print(f'README.md: command {name} is not mentioned')
            found = 1
        run = subprocess.run([binary, name, '--help'], capture_output=True, text=True)
        if run.returncode != 0 or 'usage' not in run.stdout.lower():
            print(f'racewatch {name} --help: exit {run.returncode}')
            found = 1
    return found


def main():
    check = globals().get('check_' + (sys.argv[1] if len(sys.argv) > 1 else ''))
    if check is None:
        print(__doc__)
        return 64
    return check(*sys.argv[2:])


if __name__ == '__main__':
    sys.exit(main())
