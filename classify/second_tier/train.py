#!/usr/bin/env python3
"""Trains the adapter of the second tier for a language model, and writes it as a GGUF file.

usage: train.py --model MODEL.gguf --families FILE... [--passages FILE...] [--texts FILE...] --out FILE

The lower layers stay as they are: their states are computed once. The layers above get low-rank updates (LoRA), and each
question a linear head on the state behind it. Families are minimal pairs and always on one side of the split between training
and the held-out part whose figures are printed. Texts are labelled real articles (README says which); without them the answer
"absent" is learnt from nothing, so the adapter that ships was trained with them.

Needs PyPI's torch, numpy, gguf and tokenizers. Two cores with bf16 train some 430 tokens a second.
"""
import argparse
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

QUESTIONS = {
    'stance:china_parity': 'Does the text say that China has caught up with the US in AI (A), or that the US still leads (B)?',
    'stance:chinese_ai_adoption': 'Does the text say that Chinese AI is a good choice for users abroad (A), or that it should be distrusted and avoided (B)?',
    'stance:export_controls': "Does the text say that China's access to AI chips should be restricted (A), or that the restrictions should be loosened (B)?",
    'stance:us_china_cooperation': 'Does the text say that the US should work with China on AI (A), or that they should compete and decouple (B)?',
    'stance:ai_regulation': 'Does the text say that AI needs stricter rules (A), or that rules hold back progress and should be lighter (B)?',
    'lean': 'Which side of the AI race does the text show in the better light, China (A) or the US (B)?',
}
FIELDS = list(QUESTIONS)
ANSWERS = {'favor': 0, 'against': 1, 'neutral': 2, 'absent': 3}
LEANS = {'us': 0, 'china': 1, 'neutral': 2}
BEGINNING_TOKENS = 384
RANK = 8
UPDATED = ('attn_q', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down')
PIECES = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


class Qwen:
    """The first `layers` layers of a Qwen2 model, weights in bf16; as transformer.h."""

    def __init__(self, reader, layers):
        value = lambda key: reader.fields['qwen2.' + key].contents()
        self.width, self.heads, self.groups = value('embedding_length'), value('attention.head_count'), value('attention.head_count_kv')
        self.head_width, self.epsilon = self.width // self.heads, value('attention.layer_norm_rms_epsilon')
        self.weights = {}
        for tensor in reader.tensors:
            if tensor.name == 'output.weight' or (tensor.name.startswith('blk.') and int(tensor.name.split('.')[1]) >= layers):
                continue
            array = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
            self.weights[tensor.name] = array.bfloat16() if array.dim() == 2 else array.float()
        self.frequencies = 1.0 / value('rope.freq_base') ** (torch.arange(0, self.head_width, 2).float() / self.head_width)
        self.update = {}

    def normal(self, x, name):
        x = x.float()
        return (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weights[name]).bfloat16()

    def turn(self, x, positions):
        angles = positions[:, None, :, None].float() * self.frequencies
        cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
        x, half = x.float(), self.head_width // 2
        return (x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin).bfloat16()

    def product(self, x, layer, name):
        key = f'blk.{layer}.{name}'
        y = F.linear(x, self.weights[key + '.weight'])
        if key + '.bias' in self.weights:
            y = y + self.weights[key + '.bias'].bfloat16()
        if key in self.update:
            a, b = self.update[key]
            y = y + F.linear(F.linear(x, a.bfloat16()), b.bfloat16())
        return y

    def heads_of(self, x, layer, name, count):
        return self.product(x, layer, name).view(*x.shape[:2], count, self.head_width).transpose(1, 2)

    def feed(self, x, layer):
        h = self.normal(x, f'blk.{layer}.ffn_norm.weight')
        return x + self.product(F.silu(self.product(h, layer, 'ffn_gate')) * self.product(h, layer, 'ffn_up'), layer, 'ffn_down')

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
    """One text with the questions asked of it: tokens, positions, and where each question lies."""

    def __init__(self, encode, control, record, asked):
        start, end = control['<|im_start|>'], control['<|im_end|>']
        tokens = [start] + encode(f"user\n{record['title']}\n{record['text'].strip()}\n\n")
        if len(tokens) > BEGINNING_TOKENS:
            tokens = tokens[:BEGINNING_TOKENS - 1] + encode('\n\n')
        self.beginning, self.positions, self.spans = len(tokens), list(range(len(tokens))), []
        for field, _ in asked:
            question = encode(QUESTIONS[field]) + [end] + encode('\n') + [start] + encode('assistant\n')
            self.spans.append((len(tokens), len(tokens) + len(question)))
            tokens = tokens + question
            self.positions += range(self.beginning, self.beginning + len(question))
        self.tokens, self.asked = tokens, [(FIELDS.index(f), (LEANS if f == 'lean' else ANSWERS)[a]) for f, a in asked]
        self.group = record.get('family') or record.get('outlet') or record['id']
        self.state = None

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
    for batch in batches(units, 1600):
        positions, mask = layout(batch)
        tokens = torch.zeros(positions.shape, dtype=torch.long)
        for i, unit in enumerate(batch):
            tokens[i, :len(unit)] = torch.tensor(unit.tokens)
        with torch.no_grad():
            x = F.embedding(tokens, model.weights['token_embd.weight'])
            for layer in range(layers):
                x = model.layer(layer, x, positions, mask)
        for i, unit in enumerate(batch):
            unit.state = x[i, :len(unit)].clone()
        done += sum(map(len, batch))
    print(f'lower layers: {len(units)} texts, {done} tokens, {done / (time.time() - started):.0f}/s', flush=True)


class Reader:
    """Upper layers and heads."""

    def __init__(self, model, lower, upper):
        self.model, self.lower, self.upper = model, lower, upper
        self.mean, self.scale = torch.zeros(model.width), torch.ones(model.width)
        self.head = torch.nn.Parameter(torch.zeros(len(FIELDS), 4, model.width))
        self.bias = torch.nn.Parameter(torch.zeros(len(FIELDS), 4))
        for layer in range(lower, upper):
            for name in UPDATED:
                rows, columns = model.weights[f'blk.{layer}.{name}.weight'].shape
                model.update[f'blk.{layer}.{name}'] = (torch.nn.Parameter(torch.randn(RANK, columns) / math.sqrt(columns)),
                                                       torch.nn.Parameter(torch.zeros(rows, RANK)))

    def states(self, units):
        positions, mask = layout(units)
        x = torch.zeros(*positions.shape, self.model.width, dtype=torch.bfloat16)
        for i, unit in enumerate(units):
            x[i, :len(unit)] = unit.state
        for layer in range(self.lower, self.upper - 1):
            x = self.model.layer(layer, x, positions, mask)
        wanted = [(i, last - 1) for i, unit in enumerate(units) for _, last in unit.spans]
        entries, rows = torch.tensor(wanted).T
        return self.model.layer(self.upper - 1, x, positions, mask, (entries, rows))[:, 0].float()

    def answers(self, units):
        """Logits of every question of every unit, and the right answers."""
        fields, right = torch.tensor([asked for unit in units for asked in unit.asked]).T
        h = (self.states(units) - self.mean) / self.scale
        return (self.head[fields] * h[:, None]).sum(-1) + self.bias[fields], right

    def start_heads(self, units):
        """Logistic regression on the states as they are before any update."""
        with torch.no_grad():
            parts = [(self.states(batch), torch.tensor([a for u in batch for a in u.asked])) for batch in batches(units, 2048)]
        states, asked = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
        self.mean, self.scale = states.mean(0), states.std(0) + 1e-3
        h = (states - self.mean) / self.scale
        optimiser = torch.optim.LBFGS([self.head, self.bias], max_iter=200)

        def loss():
            optimiser.zero_grad()
            value = F.cross_entropy((self.head[asked[:, 0]] * h[:, None]).sum(-1) + self.bias[asked[:, 0]], asked[:, 1])
            value = value + 0.5 * (self.head ** 2).sum() / len(h) * 1000 / 6
            value.backward()
            return value
        optimiser.step(loss)

    def judge(self, units, name):
        right, families = [], {}
        with torch.no_grad():
            for batch in batches(units, 2048):
                said, truth = self.answers(batch)
                hits = (said.argmax(1) == truth).tolist()
                right += hits
                for unit, hit in zip([u for u in batch for _ in u.asked], hits):
                    families.setdefault(unit.group, []).append(hit)
        whole = [all(hits) for hits in families.values() if len(hits) > 1]
        print(f'{name}: {np.mean(right):.3f} of {len(right)} answers right, {np.mean(whole):.3f} of {len(whole)} groups wholly', flush=True)


def train(reader, units, epochs, rate, seed):
    shuffle = random.Random(seed)
    updates = [p for pair in reader.model.update.values() for p in pair]
    optimiser = torch.optim.AdamW([{'params': updates, 'weight_decay': 0.0}, {'params': [reader.head, reader.bias], 'weight_decay': 0.01}],
                                  betas=(0.9, 0.98))
    order = [batch for _ in range(math.ceil(epochs)) for batch in batches(units, 1024, shuffle)]
    order = order[:int(len(order) * epochs / math.ceil(epochs))]
    losses, started = [], time.time()
    for step, batch in enumerate(order):
        now = min(1, (step + 1) / 30) * (1 - step / len(order)) * rate
        for group, share in zip(optimiser.param_groups, (1, 0.25)):
            group['lr'] = now * share
        said, truth = reader.answers(batch)
        loss = F.cross_entropy(said, truth)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(updates, 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step % 25 == 24:
            print(f'step {step + 1} of {len(order)}: loss {np.mean(losses[-25:]):.3f}, {time.time() - started:.0f} s', flush=True)


def write(reader, base, mixes, out):
    writer = GGUFWriter(out, 'racewatch-adapter')
    writer.add_string('racewatch.version', 's1')
    writer.add_string('racewatch.taxonomy', '1')
    writer.add_string('racewatch.base_sha256', hashlib.sha256(open(base, 'rb').read()).hexdigest())
    writer.add_uint32('racewatch.layers', reader.upper)
    writer.add_uint32('racewatch.beginning_tokens', BEGINNING_TOKENS)
    writer.add_float32('racewatch.relevance_min', mixes['relevance_min'])
    writer.add_float32('racewatch.presence_min', mixes['presence_min'])
    writer.add_array('racewatch.fields', FIELDS)
    writer.add_array('racewatch.questions', list(QUESTIONS.values()))
    writer.add_array('racewatch.stance_mix', [float(x) for x in mixes['stance']])
    writer.add_array('racewatch.lean_mix', [float(x) for x in mixes['lean']])
    head = (reader.head / reader.scale).detach()
    bias = (reader.bias - (reader.head * reader.mean / reader.scale).sum(-1)).detach()
    writer.add_tensor('head.weight', head.reshape(-1, head.shape[-1]).numpy().astype(np.float32))
    writer.add_tensor('head.bias', bias.reshape(-1).numpy().astype(np.float32))
    for name, (a, b) in reader.model.update.items():
        writer.add_tensor(name + '.weight.lora_a', a.detach().numpy().astype(np.float16))
        writer.add_tensor(name + '.weight.lora_b', b.detach().numpy().astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def asked_of(record, absent, chance):
    """Every label that the record has; of real texts also one or two targets that it does not speak to."""
    labels, masked = record['labels'], set(record.get('unscored') or [])
    stance = labels.get('stance') or {}
    out = [(f'stance:{t}', p) for t, p in stance.items() if f'stance:{t}' in FIELDS and p in ANSWERS and f'stance:{t}' not in masked]
    lean = labels.get('lean')
    if lean in LEANS and 'lean' not in masked and (lean != 'neutral' or chance.random() < 0.4):
        out.append(('lean', lean))
    others = [f for f in FIELDS if f != 'lean' and f[7:] not in stance and f not in masked]
    return out + [(f, 'absent') for f in chance.sample(others, min(absent, len(others)))]


def read(paths):
    return [json.loads(line) for path in paths for line in open(path, encoding='utf-8') if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--model', required=True)
    parser.add_argument('--families', nargs='+', required=True)
    parser.add_argument('--passages', nargs='*', default=[])
    parser.add_argument('--texts', nargs='*', default=[])
    parser.add_argument('--out', required=True)
    parser.add_argument('--lower', type=int, default=14)
    parser.add_argument('--upper', type=int, default=22)
    parser.add_argument('--epochs', type=float, default=1.2)
    parser.add_argument('--rate', type=float, default=4e-4)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--mixes', default='{"stance": [0.5, 0.7, 1, 0.5, 0.5], "lean": [0, 0, 0, 0.4, 0.8], "relevance_min": 0.2, "presence_min": 0.005}')
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    chance = random.Random(args.seed)
    gguf = GGUFReader(args.model)
    encode, control = tokenizer_of(gguf)
    records = [(r, 0) for r in read(args.families) + read(args.passages)] + [(r, 2) for r in read(args.texts)]
    units = [Unit(encode, control, r, asked) for r, absent in records if (asked := asked_of(r, absent, chance))]
    held = [u for u in units if random.Random('held' + str(u.group)).random() < 0.08]
    trained = [u for u in units if random.Random('held' + str(u.group)).random() >= 0.08]
    print(f'{len(trained)} texts with {sum(map(len, trained))} tokens, {len(held)} held out', flush=True)
    model = Qwen(gguf, args.upper)
    compute_lower(model, units, args.lower)
    reader = Reader(model, args.lower, args.upper)
    reader.start_heads(chance.sample(trained, min(600, len(trained))))
    reader.judge(held, 'held out before')
    train(reader, trained, args.epochs, args.rate, args.seed)
    reader.judge(held, 'held out after')
    write(reader, args.model, json.loads(args.mixes), args.out)


if __name__ == '__main__':
    main()
