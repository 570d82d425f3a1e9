"""Gate heads (`unheard.guidance.amg.gate_head`): `training` makes one of a model, `kept` finds it again."""
