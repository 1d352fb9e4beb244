#!/usr/bin/env python3
"""Trains the adapter of the second tier for a language model, and writes it as a GGUF file.

usage: train.py --model MODEL.gguf [--families FILE...] [--passages FILE...] [--texts FILE... --first-tier FILE...] [--start ADAPTER] --out FILE

The lower layers stay as they are: their states are computed once. The layers above get low-rank updates (LoRA), and each
question a linear head on the state behind it. The big products are of bytes as in transformer.h, forwards and, of gradients,
backwards (SwitchBack, Wortsman et al. 2023), so that the adapter learns with the states that it will read. With --start the
updates and heads of an adapter are trained further. Families are minimal pairs and always on one side of the split between
training and the held-out part whose figures are printed. Texts are labelled real articles (README says which). What the first
tier says of them (`racewatch tag --scores` of models that were trained without them) decides which questions they are asked, as it
will be when articles are tagged, and the loss is that of both tiers' answers together (`MIXES`, as Adapter::MixIn), so that the
language model learns what the first tier does not know. Families and passages are answered by the language model alone.

Needs PyPI's torch, numpy, gguf and tokenizers, and a C++ compiler.
"""
import argparse
import collections
import functools
import hashlib
import json
import math
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

torch._dynamo.config.recompile_limit = 64  # rows and columns of every product
fused = functools.partial(torch.compile, dynamic=True)  # one pass over the numbers in place of several

QUESTIONS = {
    'stance:china_parity': 'Does the text say that China has caught up with the US in AI (A), or that the US still leads (B)?',
    'stance:chinese_ai_adoption': 'Does the text say that Chinese AI is a good choice for users abroad (A), or that it should be distrusted and avoided (B)?',
    'stance:export_controls': "Does the text say that China's access to AI chips should be restricted (A), or that the restrictions should be loosened (B)?",
    'stance:us_china_cooperation': 'Does the text say that the US should work with China on AI (A), or that they should compete and decouple (B)?',
    'stance:ai_regulation': 'Does the text say that AI needs stricter rules (A), or that rules hold back progress and should be lighter (B)?',
    'lean': 'Which side of the AI race does the text show in the better light, China (A) or the US (B)?',
    'relevance': 'Is the text about AI and about the US and China as rivals, partners or players in it (A), or about something else (B)?',
}
FIELDS = list(QUESTIONS)
ANSWERS = {'favor': 0, 'against': 1, 'neutral': 2, 'absent': 3}
LEANS = {'us': 0, 'china': 1, 'neutral': 2}
RELEVANCE = {True: 0, False: 1}
ANSWERS_OF = {'lean': 3, 'relevance': 2}  # of 4; the others' logits are far below
BEGINNING_TOKENS = 384
RANK = 8
UPDATED = ('attn_q', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down')
PIECES = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


# How the tiers are mixed: offset, first and second tier in the log-odds of presence, first and second tier in the logarithms of sides.
MIXES = {'stance': [0, 0.6, 1, 0.3, 1], 'lean': [0, 0, 0, 0.5, 1], 'relevance': [0, 0.6, 1, 0, 0]}
RELEVANCE_MIN, PRESENCE_MIN = 0.1, 0.02


def log_odds(p):
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


@fused
def to_bytes(x):
    scale = x.abs().amax(1, keepdim=True).clamp_min(1e-20) / 127
    return (x / scale).round().to(torch.int8), scale


@fused
def from_bytes(sums, scale, scales):
    return sums.float() * scale * scales


@fused
def gated(gate, up):
    return F.silu(gate) * up


class ByteProduct(torch.autograd.Function):
    """x W' as product.h computes it. The gradient goes back as bytes too; the weights get none."""

    @staticmethod
    def forward(ctx, x, weights):
        ctx.weights = weights
        columns, _, scales = weights
        bytes_of, scale = to_bytes(x.reshape(-1, x.shape[-1]))
        return from_bytes(torch._int_mm(bytes_of, columns), scale, scales).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx, gradient):
        _, rows, scales = ctx.weights
        bytes_of, scale = to_bytes(gradient.reshape(-1, gradient.shape[-1]) * scales)
        return from_bytes(torch._int_mm(bytes_of, rows), scale, scales.new_ones(1)).view(*gradient.shape[:-1], -1), None


class Qwen:
    """The first `layers` layers of a Qwen2 model; as transformer.h."""

    def __init__(self, reader, layers):
        value = lambda key: reader.fields['qwen2.' + key].contents()
        self.width, self.heads, self.groups = value('embedding_length'), value('attention.head_count'), value('attention.head_count_kv')
        self.head_width, self.epsilon = self.width // self.heads, value('attention.layer_norm_rms_epsilon')
        self.weights = {}
        for tensor in reader.tensors:
            if tensor.name == 'output.weight' or (tensor.name.startswith('blk.') and int(tensor.name.split('.')[1]) >= layers):
                continue
            array = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
            if tensor.name.startswith('blk.') and array.dim() == 2:
                scales = array.abs().amax(1).clamp_min(1e-20) / 127
                rows = (array / scales[:, None]).round().to(torch.int8)
                self.weights[tensor.name] = (rows.t().contiguous(), rows, scales)
            else:
                self.weights[tensor.name] = array
        self.frequencies = 1.0 / value('rope.freq_base') ** (torch.arange(0, self.head_width, 2).float() / self.head_width)
        self.update = {}

    def normal(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weights[name]

    def turn(self, x, positions):
        angles = positions[:, None, :, None].float() * self.frequencies
        cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
        half = self.head_width // 2
        return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin

    def product(self, x, layer, name):
        key = f'blk.{layer}.{name}'
        y = ByteProduct.apply(x, self.weights[key + '.weight'])
        if key + '.bias' in self.weights:
            y = y + self.weights[key + '.bias']
        if key in self.update:
            a, b = self.update[key]
            y = y + F.linear(F.linear(x, a), b)
        return y

    def heads_of(self, x, layer, name, count):
        return self.product(x, layer, name).view(*x.shape[:2], count, self.head_width).transpose(1, 2)

    def feed(self, x, layer):
        h = self.normal(x, f'blk.{layer}.ffn_norm.weight')
        return x + self.product(gated(self.product(h, layer, 'ffn_gate'), self.product(h, layer, 'ffn_up')), layer, 'ffn_down')

    def layer(self, layer, x, positions, mask, wanted=None):
        """All rows, or those of `wanted` (batch index, row) alone, as batch entries of one row."""
        h = self.normal(x, f'blk.{layer}.attn_norm.weight')
        k = self.turn(self.heads_of(h, layer, 'attn_k', self.groups), positions).repeat_interleave(self.heads // self.groups, 1)
        v = self.heads_of(h, layer, 'attn_v', self.groups).repeat_interleave(self.heads // self.groups, 1)
        if wanted is not None:
            entries, rows = wanted
            h, positions, k, v = h[entries, rows][:, None], positions[entries, rows][:, None], k[entries], v[entries]
            mask, x = mask.expand(len(x), -1, -1, -1)[entries, :, rows][:, :, None], x[entries, rows][:, None]
        q = self.turn(self.heads_of(h, layer, 'attn_q', self.heads), positions)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(*x.shape)
        return self.feed(x + self.product(mixed, layer, 'attn_output'), layer)


def tokenizer_of(reader):
    """As tokenizer.h: text cannot make control tokens."""
    names = reader.fields['tokenizer.ggml.tokens'].contents()
    merges = [tuple(pair.split(' ')) for pair in reader.fields['tokenizer.ggml.merges'].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PIECES), behavior='isolated'), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    control = {name: i for i, name in enumerate(names) if name in ('<|im_start|>', '<|im_end|>')}
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids, control


class Unit:
    """One text with the questions asked of it: tokens, positions, and where each question lies. `asked`: field, right answer and
    what the first tier says, as log-odds of presence and logarithms of sides (None: nothing)."""

    def __init__(self, encode, control, record, asked, real):
        start, end = control['<|im_start|>'], control['<|im_end|>']
        tokens = [start] + encode(f"user\n{record['title']}\n{record['text'].strip()}\n\n")
        if len(tokens) > BEGINNING_TOKENS:
            tokens = tokens[:BEGINNING_TOKENS - 1] + encode('\n\n')
        self.beginning, self.positions, self.spans = len(tokens), list(range(len(tokens))), []
        for field, _, _ in asked:
            question = encode(QUESTIONS[field]) + [end] + encode('\n') + [start] + encode('assistant\n')
            self.spans.append((len(tokens), len(tokens) + len(question)))
            tokens = tokens + question
            self.positions += range(self.beginning, self.beginning + len(question))
        self.tokens = tokens
        self.asked = [(FIELDS.index(f), {'lean': LEANS, 'relevance': RELEVANCE}.get(f, ANSWERS)[a]) for f, a, _ in asked]
        self.first = [first for _, _, first in asked]
        self.group, self.real = record.get('family') or record.get('outlet') or record['id'], real
        self.state = None

    def held_out(self):
        return random.Random('held' + str(self.group)).random() < (0.04 if self.real else 0.06)

    def __len__(self):
        return len(self.tokens)


def batches(units, tokens_max, shuffle=None):
    """Units of like length together, at most tokens_max with padding."""
    order = sorted(units, key=lambda u: len(u) + (shuffle.random() * 12 if shuffle else 0))
    out = []
    for unit in order:
        if out and (len(out[-1]) + 1) * max(len(unit), len(out[-1][-1])) <= tokens_max:
            out[-1].append(unit)
        else:
            out.append([unit])
    if shuffle:
        shuffle.shuffle(out)
    return out


def layout(units):
    """Positions and mask: a token sees what is before it, but not the questions before its own."""
    size = max(map(len, units))
    positions = torch.zeros(len(units), size, dtype=torch.long)
    mask = torch.ones(size, size, dtype=torch.bool).tril()[None].repeat(len(units), 1, 1)
    for i, unit in enumerate(units):
        positions[i, :len(unit)] = torch.tensor(unit.positions)
        for first, last in unit.spans[1:]:
            mask[i, first:last, unit.beginning:first] = False
    return positions, mask[:, None]


def compute_lower(model, units, layers):
    """The states after the layers that stay as they are."""
    done, started = 0, time.time()
    for batch in batches(units, 2048):
        positions, mask = layout(batch)
        tokens = torch.zeros(positions.shape, dtype=torch.long)
        for i, unit in enumerate(batch):
            tokens[i, :len(unit)] = torch.tensor(unit.tokens)
        with torch.no_grad():
            x = F.embedding(tokens, model.weights['token_embd.weight'])
            for layer in range(layers):
                x = model.layer(layer, x, positions, mask)
        for i, unit in enumerate(batch):
            unit.state = x[i, :len(unit)].half()
        done += sum(map(len, batch))
    print(f'lower layers: {len(units)} texts, {done} tokens, {done / (time.time() - started):.0f}/s', flush=True)


def mix(said, fields, first):
    """Logits of the language model's answers, one row a question, with what the first tier says: logarithms of probabilities."""
    known = torch.tensor([f is not None for f in first])
    odds = torch.tensor([f[0] if f else 0.0 for f in first])
    logs = torch.tensor([f[1] if f else [0.0] * 3 for f in first])
    rows = []
    for field, kind in enumerate(f.split(':')[0] for f in FIELDS):
        offset, first_present, second_present, first_side, second_side = MIXES[kind]
        here = fields == field
        k, own = known[here], said[here]
        sides = F.log_softmax(torch.where(k[:, None], first_side * logs[here] + second_side * own[:, :3], own[:, :3]), 1)
        if kind == 'lean':
            out = F.pad(sides, (0, 1), value=-30.0)
        else:
            present = own[:, 0] - own[:, 1] if kind == 'relevance' else own[:, :3].logsumexp(1) - own[:, 3]
            present = torch.where(k, offset + first_present * odds[here] + second_present * present, present)
            yes, no = F.logsigmoid(present)[:, None], F.logsigmoid(-present)[:, None]
            out = F.pad(torch.cat([yes, no], 1), (0, 2), value=-30.0) if kind == 'relevance' else torch.cat([yes + sides, no], 1)
        rows.append((here.nonzero()[:, 0], out))
    return torch.cat([out for _, out in rows])[torch.cat([where for where, _ in rows]).argsort()]


class Reader:
    """Upper layers and heads."""

    def __init__(self, model, lower, upper):
        self.model, self.lower, self.upper = model, lower, upper
        self.mean, self.scale, self.started = torch.zeros(model.width), torch.ones(model.width), False
        self.head = torch.nn.Parameter(torch.zeros(len(FIELDS), 4, model.width))
        self.bias = torch.nn.Parameter(torch.zeros(len(FIELDS), 4))
        for layer in range(lower, upper):
            for name in UPDATED:
                rows, columns = model.weights[f'blk.{layer}.{name}.weight'][1].shape
                model.update[f'blk.{layer}.{name}'] = (torch.nn.Parameter(torch.randn(RANK, columns) / math.sqrt(columns)),
                                                       torch.nn.Parameter(torch.zeros(rows, RANK)))

    def states(self, units):
        positions, mask = layout(units)
        x = torch.zeros(*positions.shape, self.model.width)
        for i, unit in enumerate(units):
            x[i, :len(unit)] = unit.state.float()
        for layer in range(self.lower, self.upper - 1):
            x = self.model.layer(layer, x, positions, mask)
        wanted = [(i, last - 1) for i, unit in enumerate(units) for _, last in unit.spans]
        entries, rows = torch.tensor(wanted).T
        return self.model.layer(self.upper - 1, x, positions, mask, (entries, rows))[:, 0]

    def answers(self, units):
        """Logarithms of probabilities of every answer to every question of every unit, both tiers together; the fields; the right answers."""
        fields, right = torch.tensor([asked for unit in units for asked in unit.asked]).T
        h = (self.states(units) - self.mean) / self.scale
        said = (self.head[fields] * h[:, None]).sum(-1) + self.bias[fields]
        return mix(said, fields, [first for unit in units for first in unit.first]), fields, right

    def start_heads(self, units, fields):
        """Logistic regression of these fields on the states as they are before any update."""
        with torch.no_grad():
            parts = [(self.states(batch), [(a, f) for u in batch for a, f in zip(u.asked, u.first)]) for batch in batches(units, 2048)]
        states = torch.cat([p[0] for p in parts])
        if not self.started:
            self.mean, self.scale, self.started = states.mean(0), states.std(0) + 1e-3, True
        asked, first = zip(*(pair for p in parts for pair in p[1]))
        rows = [i for i, (field, _) in enumerate(asked) if FIELDS[field] in fields]
        field, right = torch.tensor([asked[i] for i in rows]).T
        h, first = (states[rows] - self.mean) / self.scale, [first[i] for i in rows]
        here = torch.tensor([f in fields for f in FIELDS])[:, None]
        head, bias = torch.zeros_like(self.head, requires_grad=True), torch.zeros_like(self.bias, requires_grad=True)
        optimiser = torch.optim.LBFGS([head, bias], max_iter=200)

        def loss():
            optimiser.zero_grad()
            value = F.nll_loss(mix((head[field] * h[:, None]).sum(-1) + bias[field], field, first), right)
            value = value + 0.5 * (head ** 2).sum() / len(h) * 1000 / 6
            value.backward()
            return value
        optimiser.step(loss)
        with torch.no_grad():
            self.head.copy_(torch.where(here[..., None], head, self.head))
            self.bias.copy_(torch.where(here, bias, self.bias))

    def start_from(self, path, units):
        """Updates and heads of an adapter; heads of questions that it does not have are left for start_heads, the fields returned.
        Heads work on states of mean 0 and deviation 1 here, on the plain ones there."""
        gguf = GGUFReader(path)
        tensors = {t.name: torch.from_numpy(np.array(t.data, dtype=np.float32)) for t in gguf.tensors}
        fields = gguf.fields['racewatch.fields'].contents()
        for name in self.model.update:
            self.model.update[name] = tuple(torch.nn.Parameter(tensors[f'{name}.weight.lora_{part}']) for part in 'ab')
        head, bias = tensors['head.weight'].view(len(fields), 4, -1), tensors['head.bias'].view(len(fields), 4)
        with torch.no_grad():
            states = torch.cat([self.states(batch) for batch in batches(units, 2048)])
            self.mean, self.scale, self.started = states.mean(0), states.std(0) + 1e-3, True
            for i, field in enumerate(fields):
                self.head[FIELDS.index(field)] = head[i] * self.scale
                self.bias[FIELDS.index(field)] = bias[i] + (head[i] * self.mean).sum(-1)
        return [f for f in FIELDS if f not in fields]

    def judge(self, units, name):
        """How many answers are right of those held out, and their loss, by kind."""
        right, families, losses = collections.defaultdict(list), collections.defaultdict(list), collections.defaultdict(list)
        with torch.no_grad():
            for batch in batches(units, 2048):
                said, fields, truth = self.answers(batch)
                for i, unit in enumerate(u for u in batch for _ in u.asked):
                    hit, kind = bool(said[i].argmax() == truth[i]), FIELDS[fields[i]]
                    right[kind].append(hit)
                    families[unit.group].append(hit)
                    losses[kind].append(-said[i, truth[i]].item())
        whole = [all(hits) for hits in families.values() if len(hits) > 1]
        every = sum(right.values(), [])
        print(f'{name}: {np.mean(every):.3f} of {len(every)} answers right, {np.mean(whole):.3f} of {len(whole)} groups wholly', flush=True)
        for kind, hits in right.items():
            print(f'  {kind}: {np.mean(hits):.3f} of {len(hits)}, loss {np.mean(losses[kind]):.3f}', flush=True)


def train(reader, units, epochs, rate, seed, save):
    shuffle = random.Random(seed)
    updates = [p for pair in reader.model.update.values() for p in pair]
    shares = ((updates, 1, 0.0), ([reader.head], 0.25, 0.01), ([reader.bias], 5, 0.0))
    optimiser = torch.optim.AdamW([{'params': p, 'weight_decay': decay} for p, _, decay in shares], betas=(0.9, 0.98))
    # Rare sides of a question count more, up to 2.5 times as much.
    count = collections.Counter(asked for unit in units for asked in unit.asked)
    weight = torch.ones(len(FIELDS), 4)
    for f, name in enumerate(FIELDS):
        if name != 'relevance':
            most = max(count[(f, a)] for a in range(3))
            for a in range(3):
                weight[f, a] = min(2.5, (most / max(1, count[(f, a)])) ** 0.5)
    order = [batch for _ in range(math.ceil(epochs)) for batch in batches(units, 1536, shuffle)]
    order = order[:int(len(order) * epochs / math.ceil(epochs))]
    losses, started, tokens = [], time.time(), 0
    for step, batch in enumerate(order):
        now = min(1, (step + 1) / 20) * (1 - step / len(order)) * rate
        for group, (_, share, _) in zip(optimiser.param_groups, shares):
            group['lr'] = now * share
        said, fields, truth = reader.answers(batch)
        # log P(side) = log P(present) + log P(side | present); only the second part is weighted.
        present = torch.where(truth < 3, said[:, :3].logsumexp(1), said[:, 3])
        plain = torch.tensor([FIELDS[f] == 'relevance' for f in fields])
        loss = -torch.where(plain, said[range(len(truth)), truth],
                            present + weight[fields, truth] * (said[range(len(truth)), truth] - present)).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(updates, 1.0)
        optimiser.step()
        losses.append(loss.item())
        tokens += sum(map(len, batch))
        if step % 20 == 19:
            print(f'step {step + 1} of {len(order)}: loss {np.mean(losses[-20:]):.3f}, {time.time() - started:.0f} s, '
                  f'{tokens / (time.time() - started):.0f} tokens/s', flush=True)
        if step % 100 == 99:
            save()


def write(reader, base, version, out):
    writer = GGUFWriter(out, 'racewatch-adapter')
    writer.add_string('racewatch.version', version)
    writer.add_string('racewatch.taxonomy', '1')
    writer.add_string('racewatch.base_sha256', hashlib.sha256(open(base, 'rb').read()).hexdigest())
    writer.add_uint32('racewatch.layers', reader.upper)
    writer.add_uint32('racewatch.beginning_tokens', BEGINNING_TOKENS)
    writer.add_float32('racewatch.relevance_min', RELEVANCE_MIN)
    writer.add_float32('racewatch.presence_min', PRESENCE_MIN)
    writer.add_array('racewatch.fields', FIELDS)
    writer.add_array('racewatch.questions', list(QUESTIONS.values()))
    for kind, numbers in MIXES.items():
        writer.add_array(f'racewatch.{kind}_mix', [float(x) for x in numbers])
    head = (reader.head / reader.scale).detach()
    bias = (reader.bias - (reader.head * reader.mean / reader.scale).sum(-1)).detach().clone()
    for field, answers in ANSWERS_OF.items():
        head[FIELDS.index(field), answers:], bias[FIELDS.index(field), answers:] = 0, -30
    writer.add_tensor('head.weight', head.reshape(-1, head.shape[-1]).numpy().astype(np.float32))
    writer.add_tensor('head.bias', bias.reshape(-1).numpy().astype(np.float32))
    for name, (a, b) in reader.model.update.items():
        writer.add_tensor(name + '.weight.lora_a', a.detach().numpy().astype(np.float16))
        writer.add_tensor(name + '.weight.lora_b', b.detach().numpy().astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def asked_of_passage(record, targets, chance):
    """Every label that it has (neutral leans of a part), and each target that another variant of its family speaks to. What has no other
    label is asked whether it is relevant."""
    stance, lean = record['labels'].get('stance') or {}, record['labels'].get('lean')
    out = [(f'stance:{t}', stance.get(t, 'absent'), None) for t in targets if f'stance:{t}' in FIELDS and stance.get(t, 'absent') in ANSWERS]
    if lean in LEANS and (lean != 'neutral' or chance.random() < 0.4):
        out.append(('lean', lean, None))
    return out or [('relevance', record['labels']['relevant'], None)]


def asked_of_text(record, scores):
    """What it would be asked when it is tagged, as far as its readers agree: nothing if it is hardly relevant by the first tier."""
    if scores['relevance'] < RELEVANCE_MIN:
        return []
    labels, masked = record['labels'], set(record.get('unscored') or [])
    logs = lambda sides: [math.log(max(p, 1e-6)) for p in sides]
    out = [] if 'relevant' in masked else [('relevance', labels['relevant'], (log_odds(scores['relevance']), [0.0] * 3))]
    if not labels['relevant']:
        return out
    for target, sides in scores['stance'].items():
        present, position = sum(sides.values()), (labels.get('stance') or {}).get(target, 'absent')
        if present >= PRESENCE_MIN * scores['relevance'] and f'stance:{target}' not in masked and position in ANSWERS:
            first = [sides[p] / max(present, 1e-12) for p in ('favor', 'against', 'neutral')]
            out.append((f'stance:{target}', position, (log_odds(present / scores['relevance']), logs(first))))
    if labels.get('lean') in LEANS and 'lean' not in masked:
        out.append(('lean', labels['lean'], (0.0, logs(scores['lean'][k] for k in LEANS))))
    return out


def choose(texts, scores, encode, control, tokens_max, chance):
    """English and Chinese texts that are asked something, drawn by chance until they have so many tokens: so among those of a
    like first answer the irrelevant ones have the share that they have."""
    asked = [(r, asked_of_text(r, scores[r['id']])) for r in texts if r['lang'] in ('en', 'zh') and r['id'] in scores]
    asked = [(r, a) for r, a in asked if a]
    chance.shuffle(asked)
    units, tokens = [], 0
    for record, questions in asked:
        if tokens < tokens_max:
            units.append(Unit(encode, control, record, questions, True))
            tokens += len(units[-1])
    return units


def read(paths):
    return [json.loads(line) for path in paths for line in open(path, encoding='utf-8') if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--model', required=True)
    parser.add_argument('--families', nargs='*', default=[])
    parser.add_argument('--passages', nargs='*', default=[])
    parser.add_argument('--texts', nargs='*', default=[])
    parser.add_argument('--first-tier', nargs='*', default=[], help='of the texts, by id')
    parser.add_argument('--out', required=True)
    parser.add_argument('--lower', type=int, default=14)
    parser.add_argument('--upper', type=int, default=22)
    parser.add_argument('--start', help='an adapter to train further')
    parser.add_argument('--tokens', type=int, default=560000, help='of real texts')
    parser.add_argument('--replay', type=float, default=1.0, help='part of the passages')
    parser.add_argument('--epochs', type=float, default=1.0)
    parser.add_argument('--rate', type=float, default=2e-4)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--version', default='s4')
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    chance = random.Random(args.seed)
    gguf = GGUFReader(args.model)
    encode, control = tokenizer_of(gguf)
    scores = {r['id']: r['scores'] for r in read(args.first_tier)}
    units = choose(read(args.texts), scores, encode, control, args.tokens, chance)
    families, passages = read(args.families), [r for r in read(args.passages) if len(r['text']) < 500]
    family = lambda record: record.get('family') or record['id']
    kept, targets = {family(r): 0 for r in families}, collections.defaultdict(dict)  # dictionaries keep the order
    for record in families + passages:
        targets[family(record)].update(record['labels'].get('stance') or {})
    for record in families + passages:
        if kept.setdefault(family(record), chance.random()) < args.replay:
            units.append(Unit(encode, control, record, asked_of_passage(record, targets[family(record)], chance), False))
    held, trained = [u for u in units if u.held_out()], [u for u in units if not u.held_out()]
    print(f'{len(trained)} texts ({sum(u.real for u in trained)} real) with {sum(map(len, trained))} tokens, {len(held)} held out', flush=True)
    model = Qwen(gguf, args.upper)
    compute_lower(model, units, args.lower)
    reader = Reader(model, args.lower, args.upper)
    some = chance.sample(trained, min(600, len(trained)))
    new = reader.start_from(args.start, some[:120]) if args.start else FIELDS
    if new:
        reader.start_heads([u for u in some if any(FIELDS[field] in new for field, _ in u.asked)], new)
    for when in ('before', 'after'):
        if when == 'after':
            train(reader, trained, args.epochs, args.rate, args.seed, lambda: write(reader, args.model, args.version, args.out))
        for name, real in (('real texts', True), ('passages', False)):
            if some := [u for u in held if u.real == real]:
                reader.judge(some, f'{name} held out, {when}')
    write(reader, args.model, args.version, args.out)


if __name__ == '__main__':
    main()
