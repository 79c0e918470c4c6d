"""What went wrong in a run: the facts, and the words for them.

`evidence` reads the final weights and the losses, `verdicts` decides, `causes` looks for what stands in the way (and
`boundary` whether that is the network), and `words` says it.
"""

from .evidence import dead_layers, diverged
from .verdicts import diagnose
from .words import Diagnosis, explain, headline, when

__all__ = ["Diagnosis", "dead_layers", "diagnose", "diverged", "explain", "headline", "when"]
