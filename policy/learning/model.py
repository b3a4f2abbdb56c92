"""The embedded policy: a small causal Llama over the stream of stream.py.

It speaks prosody codes, and a fixed renderer turns them into sound: a prosody-token policy with a fixed renderer.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaModel

from policy.learning.stream import (
    GENERATED_SLOTS,
    GIVEN_SLOTS,
    N_BINS,
    NO_BIN,
    NO_WORD,
    SLOTS,
    VOCABULARY,
    WORD_BUCKETS,
    Prompts,
    allowed_tokens,
)


@dataclass(frozen=True)
class PolicyConfig:
    """Shape of the network. About 0.6 million parameters as it stands."""

    hidden: int = 128
    layers: int = 3
    heads: int = 4
    feed_forward: int = 256
    vocabulary: int = VOCABULARY
    word_buckets: int = WORD_BUCKETS
    bins: int = N_BINS
    max_positions: int = 256  # 18 exchanges

    def to_json(self) -> dict[str, int]:
        """As plain JSON, for config.json."""
        return asdict(self)


class ProsodyPolicy(nn.Module):
    """p(token | everything before it), for the 11 generated tokens of each exchange."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        self.llama = LlamaModel(
            LlamaConfig(
                vocab_size=config.vocabulary,
                hidden_size=config.hidden,
                intermediate_size=config.feed_forward,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                num_key_value_heads=config.heads,
                max_position_embeddings=config.max_positions,
                pad_token_id=None,
                bos_token_id=None,
                eos_token_id=None,
            )
        )
        self.words = nn.Embedding(1 + config.word_buckets, config.hidden, padding_idx=NO_WORD)
        self.bins = nn.Embedding(config.bins, config.hidden, padding_idx=NO_BIN)
        self.given = nn.Embedding(len(GIVEN_SLOTS), config.hidden)  # user turn, first phrase, second phrase
        self.head = nn.Linear(config.hidden, config.vocabulary, bias=False)
        for embedding in (self.words, self.bins, self.given):
            nn.init.normal_(embedding.weight, std=0.1)
        with torch.no_grad():
            self.words.weight[NO_WORD] = 0
            self.bins.weight[NO_BIN] = 0

    def embed_given(self, prompts: Prompts) -> Tensor:
        """(B, T, 3, H): the user's turn and the two phrases of each exchange."""
        n_words = (prompts.words != NO_WORD).sum(-1, keepdim=True).clamp(min=1)  # (B, T, 3, 1)
        words = self.words(prompts.words).sum(-2) / n_words.sqrt()
        given: Tensor = words + self.bins(prompts.bins).sum(-2) + self.given.weight
        return given

    def log_probs(self, prompts: Prompts, ids: Tensor) -> Tensor:
        """Log-probabilities of every token at every generated position, −inf where the mask forbids it.

        Args:
            ids: (B, G) the generated tokens, G = 11 · exchanges.
        Returns:
            (B, G, V) in nats; a row sums to one over the allowed tokens.
        """
        batch, n_exchanges = len(prompts), prompts.n_exchanges
        stream = ids.new_zeros(batch, n_exchanges, SLOTS, self.config.hidden, dtype=self.head.weight.dtype)
        stream[:, :, GIVEN_SLOTS] = self.embed_given(prompts)
        stream[:, :, GENERATED_SLOTS] = self.llama.embed_tokens(ids).view(batch, n_exchanges, -1, self.config.hidden)
        hidden: Tensor = self.llama(inputs_embeds=stream.flatten(1, 2), use_cache=False).last_hidden_state
        before = torch.tensor(GENERATED_SLOTS) - 1  # a token is predicted where the one before it is read
        hidden = hidden.view(batch, n_exchanges, SLOTS, -1)[:, :, before].flatten(1, 2)  # (B, 14 T, H) to (B, G, H)
        return masked_log_softmax(self.head(hidden), allowed_tokens(n_exchanges))

    def step(self, embedded: Tensor, cache: DynamicCache, allowed: Tensor) -> Tensor:
        """Read (B, n, H) further positions; log-probabilities (B, V) of the next token under its mask (V,)."""
        # The cache goes by its place: transformers renamed it (past_key_values, then cache) within version 5.
        output = self.llama(None, None, None, cache, inputs_embeds=embedded, use_cache=True)
        return masked_log_softmax(self.head(output.last_hidden_state[:, -1]), allowed)


def masked_log_softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log-softmax over the allowed tokens alone; the same function when sampling and when recomputing."""
    return torch.log_softmax(logits.masked_fill(~allowed, -torch.inf), dim=-1)


def chosen_log_probs(log_probs: Tensor, ids: Tensor) -> Tensor:
    """(B, G) log-probabilities of the tokens that were taken, of (B, G, V)."""
    return log_probs.gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def token_entropy(log_probs: Tensor) -> Tensor:
    """(B, G) entropy in nats of each position's masked distribution (B, G, V)."""
    finite = log_probs.clamp(min=-1e9)  # a forbidden token: exp(−1e9) · 1e9 = 0, where 0 · inf is not a number
    return -(finite.exp() * finite).sum(-1)


def new_policy(config: PolicyConfig, seed: int) -> ProsodyPolicy:
    """Fresh weights that depend on the seed alone, whatever the global generator was used for."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ProsodyPolicy(config)
