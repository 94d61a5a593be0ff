"A mix that is as strong as its parts."
from dataclasses import replace

from loramix_nb.lora import norm
from loramix_nb.merging import mix


def keep_norm(loras, weights):
    "The exact mix, each layer scaled to the weighted mean of the norms that it is made of."
    def strong(layer, change): # the layer's change, with the norm that its parts have on average
        aim = sum(abs(w)*norm(lora[layer]) for lora, w in zip(loras, weights))
        return replace(change, scale=change.scale*aim/norm(change)) if norm(change) else change
    mixed = mix(loras, weights)
    return mixed.replace({layer: strong(layer, change) for layer, change in mixed.items()})
