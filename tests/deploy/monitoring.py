#!/usr/bin/env python3
"""Checks what deploy/ hands to Prometheus and Grafana, and the feed list.

usage: monitoring.py NAME     NAME: a function below without its `check_`
Exit status 0 passed, 1 failed, 77 skipped (the reason starts with `needs`).
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def path(name):
    return os.path.join(ROOT, name)


def promtool(*arguments):
    if not shutil.which('promtool'):
        print('needs promtool (package prometheus)')
        sys.exit(77)
    return subprocess.run(['promtool', *arguments], check=False).returncode


def check_prometheus_config():
    """prometheus.yml and the rule file it names are valid."""
    return promtool('check', 'config', path('deploy/prometheus/prometheus.yml'))


def check_prometheus_alerts():
    """The alerts fire when they should and say what they should."""
    return promtool('test', 'rules', path('deploy/prometheus/rules_test.yml'))


def dashboard_queries():
    with open(path('deploy/grafana/racewatch.json'), encoding='utf-8') as f:
        board = json.load(f)
    for panel in board['panels']:
        for target in panel.get('targets', []):
            yield panel['title'], target['expr']


def check_dashboard_queries():
    """Every query of the dashboard parses as PromQL."""
    rules = []
    for i, (_, expr) in enumerate(dashboard_queries()):
        expr = expr.replace('$__rate_interval', '5m').replace('$theme', 'markets')
        rules.append({'record': f'panel:query{i}', 'expr': expr})
    if not rules:
        print('the dashboard has no queries')
        return 1
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        json.dump({'groups': [{'name': 'dashboard', 'rules': rules}]}, f)
        f.flush()
        return promtool('check', 'rules', f.name)


def check_feed_list():
    """live.opml: at least 60 different feeds of every group, both desks, English and Chinese."""
    tree = ElementTree.parse(path('deploy/feeds/live.opml'))
    feeds, found = [], 0
    for group in tree.find('body'):
        for desk in group:
            for feed in desk:
                feeds.append((group.get('text'), desk.get('text'), feed.get('language'), feed.get('xmlUrl')))
                for attribute in ('title', 'language', 'htmlUrl', 'xmlUrl'):
                    if not feed.get(attribute):
                        print(f'{feed.get("text")}: no {attribute}')
                        found = 1
                if feed.get('publisherGroup') != group.get('text'):
                    print(f'{feed.get("text")}: publisherGroup is not its folder')
                    found = 1
    urls = [feed[3] for feed in feeds]
    if len(set(urls)) != len(urls) or len(urls) < 60:
        print(f'{len(set(urls))} different feeds of {len(urls)}')
        found = 1
    for group in ('us', 'china', 'europe', 'other'):
        for desk in ('technology', 'policy'):
            if not any(feed[:2] == (group, desk) for feed in feeds):
                print(f'no feed in {group}/{desk}')
                found = 1
    if sum(feed[2] == 'zh' for feed in feeds) < 15 or not all(re.match(r'https?://', url) for url in urls):
        print('too few Chinese feeds, or an address without http')
        found = 1
    return found


if __name__ == '__main__':
    sys.exit(globals()['check_' + sys.argv[1]]())
