"""Diffusion and its way back: the schedule, and steps of DDIM and DDPM, with numbers worked by hand."""

import pytest
import torch

from deltadistill.models.ddim import chosen_steps, ddim_step, sample
from deltadistill.models.noise_schedule import NoiseSchedule


def test_variances_rise_linearly_and_what_is_kept_is_their_product():
    kept = NoiseSchedule(3, 0.1, 0.3).kept
    assert kept.tolist() == pytest.approx([0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7])
    assert float(NoiseSchedule().kept[-1]) == pytest.approx(4.04e-5, rel=0.01)  # of the published one, T 1000


def test_a_noised_picture_keeps_its_variance():
    pictures, noise = torch.full((2, 1, 1, 1), 0.5), torch.full((2, 1, 1, 1), -1.0)
    noised = NoiseSchedule(2, 0.19, 0.19).noised(pictures, noise, torch.tensor([0, 1]))
    kept = 0.81, 0.81**2
    assert noised.flatten().tolist() == pytest.approx([k**0.5 * 0.5 - (1 - k) ** 0.5 for k in kept], rel=1e-5)


@pytest.mark.parametrize("values", [(0, 0.1, 0.2), (3, 0.0, 0.2), (3, 0.3, 0.2), (3, 0.1, 1.0)])
def test_a_schedule_that_cannot_be_is_refused(values):
    with pytest.raises(ValueError, match="expected at least 1 step, and variances above 0, below 1"):
        NoiseSchedule(*values)


def test_steps_are_spread_evenly_and_end_with_the_first():
    assert chosen_steps(10, 4) == [7, 5, 2, 0]
    assert chosen_steps(3, 3) == [2, 1, 0]
    with pytest.raises(ValueError, match="in 11 of 10 steps; expected 1 to 10"):
        chosen_steps(10, 11)


def test_a_step_leads_to_the_same_picture_with_less_of_the_same_noise():
    picture, noise = torch.tensor([0.5]), torch.tensor([-1.0])
    noised = 0.6 * picture + 0.8 * noise  # keeps 0.36
    made = ddim_step(noised, noise, 0.36, 0.64)
    assert made.item() == pytest.approx(0.8 * 0.5 + 0.6 * -1.0)
    assert ddim_step(noised, noise, 0.36, 1.0).item() == pytest.approx(0.5)


def test_a_picture_beyond_white_is_clipped_and_the_noise_is_what_leads_to_it():
    noised, noise = torch.tensor([1.8]), torch.tensor([0.0])  # a picture of 3
    made = ddim_step(noised, noise, 0.36, 0.64)
    left = (1.8 - 0.6) / 0.8
    assert made.item() == pytest.approx(0.8 + 0.6 * left)


def test_with_eta_1_a_step_has_the_mean_and_the_variance_of_ddpms_posterior():
    kept, kept_next = 0.36, 0.64
    beta = 1 - kept / kept_next
    picture, noise, fresh = 0.5, -1.0, 2.0
    noised = 0.6 * picture + 0.8 * noise
    mean = (0.8 * beta * picture + (1 - beta) ** 0.5 * (1 - kept_next) * noised) / (1 - kept)  # Eq. 7 of DDPM
    deviation = ((1 - kept_next) / (1 - kept) * beta) ** 0.5
    given = [torch.tensor([value]) for value in (noised, noise, fresh)]
    made = ddim_step(given[0], given[1], kept, kept_next, eta=1.0, fresh=given[2])
    assert made.item() == pytest.approx(mean + deviation * fresh, rel=1e-5)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_who_knows_the_noise_of_one_picture_finds_it_in_any_number_of_steps(eta):
    schedule, picture = NoiseSchedule(20, 1e-3, 0.2), torch.linspace(-0.9, 0.9, 12).view(3, 2, 2)

    def estimate(noised, steps):
        kept = schedule.kept_at(steps, noised)
        return (noised - kept.sqrt() * picture) / (1 - kept).sqrt()

    for steps in (1, 7, 20):
        generator = torch.Generator().manual_seed(0)
        made = sample(estimate, schedule, (3, 2, 2), count=2, generator=generator, steps=steps, eta=eta)
        assert torch.allclose(made, picture.expand(2, 3, 2, 2), atol=1e-4)


def test_the_same_seed_gives_the_same_pictures_and_another_gives_others():
    schedule = NoiseSchedule(20, 1e-3, 0.2)

    def made(seed):
        generator = torch.Generator().manual_seed(seed)
        return sample(lambda x, t: 0.5 * x, schedule, (3, 2, 2), count=1, generator=generator, steps=5)

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))
